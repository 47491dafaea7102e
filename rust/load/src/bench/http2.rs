//! The client side of one HTTP/2 connection, without its socket.
//!
//! Bytes in, bytes out: [`super::run`] moves them. Calls are unary, their
//! headers are always the same, and a message fits into one frame.

use std::collections::HashMap;

use super::call::{Answer, Call, PREFIX_BYTES};
use super::error::BenchError;
use super::frame::{self, Frame};
use super::hpack::{Decoder, REPEATED_BLOCK, first_block};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// When this much has been received, the server gets it back as window.
const WINDOW_UPDATE_BYTES: u32 = 1 << 30;

pub(super) struct Http2 {
    /// What the socket should send; the caller takes from the front.
    pub(super) output: Vec<u8>,
    input: Vec<u8>,
    decoder: Decoder,
    first_block: Option<Vec<u8>>,
    calls: HashMap<u32, Call>,
    next_stream: u32,
    send_window: u64,
    max_streams: Option<u32>,
    unreturned: u32,
    capture: bool,
}

impl Http2 {
    /// Starts a connection; `capture` keeps the messages of answers.
    pub(super) fn new(path: &str, capture: bool) -> Self {
        let mut output = PREFACE.to_vec();
        let mut settings = Vec::new();
        for (name, value) in [
            (frame::SETTING_ENABLE_PUSH, 0),
            (frame::SETTING_INITIAL_WINDOW_SIZE, frame::MAX_WINDOW),
        ] {
            settings.extend_from_slice(&name.to_be_bytes());
            settings.extend_from_slice(&value.to_be_bytes());
        }
        frame::put(&mut output, frame::SETTINGS, 0, 0, &settings);
        let more = frame::MAX_WINDOW - frame::DEFAULT_WINDOW;
        frame::put(&mut output, frame::WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
        Self {
            output,
            input: Vec::new(),
            decoder: Decoder::default(),
            first_block: Some(first_block(path, "localhost")),
            calls: HashMap::new(),
            next_stream: 1,
            send_window: u64::from(frame::DEFAULT_WINDOW),
            max_streams: None,
            unreturned: 0,
            capture,
        }
    }

    /// How many calls the server allows at once; `None` until it has said so.
    pub(super) fn max_streams(&self) -> Option<u32> {
        self.max_streams
    }

    pub(super) fn in_flight(&self) -> usize {
        self.calls.len()
    }

    /// Tells whether the server takes the largest message now.
    pub(super) fn has_window(&self) -> bool {
        self.send_window >= frame::MAX_PAYLOAD_BYTES as u64
    }

    /// Writes one call; `message` appends its bytes to the output.
    pub(super) fn call(
        &mut self,
        started_ns: u64,
        message: &mut dyn FnMut(&mut Vec<u8>),
    ) -> Result<(), BenchError> {
        let stream = self.next_stream;
        let first = self.first_block.take();
        let block = first.as_deref().unwrap_or(&REPEATED_BLOCK);
        frame::put(
            &mut self.output,
            frame::HEADERS,
            frame::END_HEADERS,
            stream,
            block,
        );
        let start = self.output.len();
        frame::put_header(&mut self.output, 0, frame::DATA, frame::END_STREAM, stream);
        self.output.extend_from_slice(&[0; PREFIX_BYTES]);
        let body = self.output.len();
        message(&mut self.output);
        let length = self.output.len() - body;
        let allowed = frame::MAX_PAYLOAD_BYTES - PREFIX_BYTES;
        if length > allowed {
            return Err(BenchError::MessageTooLarge {
                index: stream as usize / 2,
                bytes: length,
                allowed,
            });
        }
        self.output[start..start + 3].copy_from_slice(&frame::length_bytes(length + PREFIX_BYTES));
        self.output[body - 3..body].copy_from_slice(&frame::length_bytes(length));
        self.send_window = self
            .send_window
            .saturating_sub((length + PREFIX_BYTES) as u64);
        self.calls.insert(stream, Call::new(started_ns));
        self.next_stream += 2;
        Ok(())
    }

    /// Tells whether the connection has used up its stream numbers.
    pub(super) fn is_exhausted(&self) -> bool {
        self.next_stream > frame::MAX_WINDOW - 2
    }

    /// Reads what the server sent and hands over the answers that are complete.
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        answered: &mut dyn FnMut(Answer),
    ) -> Result<(), BenchError> {
        let mut input = std::mem::take(&mut self.input);
        input.extend_from_slice(bytes);
        let mut rest = &input[..];
        while let Some((frame, tail)) = Frame::split(rest) {
            rest = tail;
            self.frame(frame, answered)?;
        }
        let consumed = input.len() - rest.len();
        input.drain(..consumed);
        self.input = input;
        Ok(())
    }

    fn frame(
        &mut self,
        frame: Frame<'_>,
        answered: &mut dyn FnMut(Answer),
    ) -> Result<(), BenchError> {
        match frame.kind {
            frame::DATA => self.data(frame)?,
            frame::HEADERS => self.headers(frame)?,
            frame::SETTINGS if !frame.has(frame::ACK) => return self.settings(frame.payload),
            frame::PING if !frame.has(frame::ACK) => {
                frame::put(&mut self.output, frame::PING, frame::ACK, 0, frame.payload);
            }
            frame::WINDOW_UPDATE if frame.stream == 0 => {
                let more = frame
                    .number()
                    .ok_or(BenchError::Protocol("a broken window update"))?;
                self.send_window += u64::from(more);
            }
            frame::GOAWAY => {
                return Err(BenchError::Closed {
                    in_flight: self.calls.len(),
                });
            }
            _ => {}
        }
        let ends = frame.kind == frame::RST_STREAM
            || matches!(frame.kind, frame::DATA | frame::HEADERS) && frame.has(frame::END_STREAM);
        if ends && let Some(call) = self.calls.remove(&frame.stream) {
            answered(call.answer());
        }
        Ok(())
    }

    fn data(&mut self, frame: Frame<'_>) -> Result<(), BenchError> {
        if frame.has(frame::PADDED) {
            return Err(BenchError::Protocol("a padded DATA frame"));
        }
        // A frame has at most 16 KiB.
        self.unreturned += u32::try_from(frame.payload.len()).unwrap_or(u32::MAX);
        if self.unreturned >= WINDOW_UPDATE_BYTES {
            let update = std::mem::take(&mut self.unreturned).to_be_bytes();
            frame::put(&mut self.output, frame::WINDOW_UPDATE, 0, 0, &update);
        }
        if self.capture
            && let Some(call) = self.calls.get_mut(&frame.stream)
        {
            call.data.extend_from_slice(frame.payload);
        }
        Ok(())
    }

    fn headers(&mut self, frame: Frame<'_>) -> Result<(), BenchError> {
        if !frame.has(frame::END_HEADERS) || frame.has(frame::PADDED | frame::PRIORITY) {
            return Err(BenchError::Protocol(
                "a HEADERS frame with continuation, padding or priority",
            ));
        }
        let mut status = None;
        self.decoder.decode(frame.payload, |name, value| {
            if name == b"grpc-status" {
                status = std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse().ok());
            }
        })?;
        if let Some(call) = self.calls.get_mut(&frame.stream) {
            call.status = status;
        }
        Ok(())
    }

    fn settings(&mut self, payload: &[u8]) -> Result<(), BenchError> {
        self.max_streams.get_or_insert(u32::MAX);
        for setting in payload.chunks_exact(6) {
            let name = u16::from_be_bytes([setting[0], setting[1]]);
            let value = u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]);
            match name {
                frame::SETTING_MAX_CONCURRENT_STREAMS => self.max_streams = Some(value),
                frame::SETTING_INITIAL_WINDOW_SIZE
                    if (value as usize) < frame::MAX_PAYLOAD_BYTES =>
                {
                    return Err(BenchError::Protocol(
                        "a stream window smaller than one frame",
                    ));
                }
                _ => {}
            }
        }
        frame::put(&mut self.output, frame::SETTINGS, frame::ACK, 0, &[]);
        Ok(())
    }
}
