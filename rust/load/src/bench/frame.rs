//! HTTP/2 frames (RFC 9113, 4.1 and 6): their nine-byte header, and the few that a client writes.

/// The largest payload either side sends unless told otherwise.
pub(super) const MAX_PAYLOAD_BYTES: usize = 16 * 1024;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;

/// `END_STREAM` of DATA and HEADERS; `ACK` of SETTINGS and PING.
pub(super) const END_STREAM: u8 = 1;
pub(super) const ACK: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
pub(super) const PADDED: u8 = 8;
pub(super) const PRIORITY: u8 = 0x20;

pub(super) const SETTING_ENABLE_PUSH: u16 = 2;
pub(super) const SETTING_MAX_CONCURRENT_STREAMS: u16 = 3;
pub(super) const SETTING_INITIAL_WINDOW_SIZE: u16 = 4;

/// The largest flow-control window.
pub(super) const MAX_WINDOW: u32 = (1 << 31) - 1;

/// The window of a connection before any update.
pub(super) const DEFAULT_WINDOW: u32 = (1 << 16) - 1;

/// A received frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Takes the first frame of `bytes`; `None` if it is not there in full.
    pub(super) fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&[l0, l1, l2, kind, flags, s0, s1, s2, s3], rest) = bytes.split_first_chunk()?;
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        let (payload, rest) = rest.split_at_checked(length)?;
        let stream = u32::from_be_bytes([s0, s1, s2, s3]) & MAX_WINDOW;
        Some((
            Self {
                kind,
                flags,
                stream,
                payload,
            },
            rest,
        ))
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The payload as one 32-bit number.
    pub(super) fn number(&self) -> Option<u32> {
        Some(u32::from_be_bytes(self.payload.try_into().ok()?))
    }
}

/// Writes a frame.
pub(super) fn put(output: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    put_header(output, payload.len(), kind, flags, stream);
    output.extend_from_slice(payload);
}

/// Writes the header of a frame whose payload follows.
pub(super) fn put_header(output: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    output.extend_from_slice(&length_bytes(length));
    output.extend_from_slice(&[kind, flags]);
    output.extend_from_slice(&stream.to_be_bytes());
}

/// The length field of a frame; callers keep payloads below 16 KiB.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the three low bytes are wanted"
)]
pub(super) fn length_bytes(length: usize) -> [u8; 3] {
    [(length >> 16) as u8, (length >> 8) as u8, length as u8]
}
