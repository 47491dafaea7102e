//! Reads header blocks, and writes the one block that requests need.
//!
//! Reading follows the server's dynamic table exactly, because the status of
//! a call is usually one byte that points into it. The rest of HPACK's
//! freedom (choosing what to index) is not here.

mod huffman;
mod table;

use huffman::Huffman;
use table::Table;

use super::error::BenchError;

/// Reads the header blocks of one connection.
#[derive(Debug)]
pub(super) struct Decoder {
    table: Table,
    huffman: Huffman,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            table: Table::default(),
            huffman: Huffman::new(),
        }
    }
}

impl Decoder {
    /// Calls `header` with each name and value of a block.
    pub(super) fn decode(
        &mut self,
        mut block: &[u8],
        mut header: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), BenchError> {
        while let Some(&first) = block.first() {
            self.field(first, &mut block, &mut header)
                .ok_or(BenchError::Protocol("a broken header block"))?;
        }
        Ok(())
    }

    /// Reads one representation (RFC 7541, 6).
    fn field(
        &mut self,
        first: u8,
        block: &mut &[u8],
        header: &mut impl FnMut(&[u8], &[u8]),
    ) -> Option<()> {
        if first & 0x80 != 0 {
            let (name, value) = self.table.get(integer(block, 7)?)?;
            header(name, value);
            return Some(());
        }
        if first & 0xe0 == 0x20 {
            return self.table.resize(integer(block, 5)?).then_some(());
        }
        let indexed = first & 0x40 != 0;
        let name = match integer(block, if indexed { 6 } else { 4 })? {
            0 => self.string(block)?,
            index => self.table.get(index)?.0.to_vec(),
        };
        let value = self.string(block)?;
        header(&name, &value);
        if indexed {
            self.table.insert(name, value);
        }
        Some(())
    }

    fn string(&self, block: &mut &[u8]) -> Option<Vec<u8>> {
        let compressed = block.first()? & 0x80 != 0;
        let length = integer(block, 7)?;
        let (text, rest) = block.split_at_checked(length)?;
        *block = rest;
        if compressed {
            self.huffman.decode(text)
        } else {
            Some(text.to_vec())
        }
    }
}

/// Reads an integer whose first byte carries `bits` bits (RFC 7541, 5.1).
fn integer(block: &mut &[u8], bits: u32) -> Option<usize> {
    let (&first, mut rest) = block.split_first()?;
    let mask = (1_usize << bits) - 1;
    let mut value = usize::from(first) & mask;
    if value == mask {
        let mut shift = 0;
        loop {
            let (&byte, tail) = rest.split_first()?;
            rest = tail;
            value = value.checked_add(usize::from(byte & 0x7f).checked_shl(shift)?)?;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
            if shift > 21 {
                return None;
            }
        }
    }
    *block = rest;
    Some(value)
}

/// The header block of a gRPC call, at first in full and then by index.
///
/// The first block fills the server's dynamic table with four entries, which
/// nobody else touches; all later blocks are these six bytes.
pub(super) const REPEATED_BLOCK: [u8; 6] = [0x83, 0x86, 0xc1, 0xc0, 0xbf, 0xbe];

/// Writes the first header block of a connection.
pub(super) fn first_block(path: &str, authority: &str) -> Vec<u8> {
    // Indexed: `:method: POST` and `:scheme: http`. Then literals to be indexed.
    let mut block = vec![0x83, 0x86];
    literal(&mut block, &[0x44], path);
    literal(&mut block, &[0x41], authority);
    literal(&mut block, &[0x5f], "application/grpc");
    literal(&mut block, &[0x40, 2, b't', b'e'], "trailers");
    block
}

fn literal(block: &mut Vec<u8>, name: &[u8], value: &str) {
    block.extend_from_slice(name);
    put_length(block, value.len());
    block.extend_from_slice(value.as_bytes());
}

/// Writes the length of an uncompressed string (RFC 7541, 5.1 and 5.2).
#[expect(
    clippy::cast_possible_truncation,
    reason = "each byte carries seven bits"
)]
fn put_length(block: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(0x7f) else {
        block.push(length as u8);
        return;
    };
    block.push(0x7f);
    while rest >= 0x80 {
        block.push(0x80 | (rest & 0x7f) as u8);
        rest >>= 7;
    }
    block.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(decoder: &mut Decoder, block: &[u8]) -> Vec<String> {
        let mut headers = Vec::new();
        decoder
            .decode(block, |name, value| {
                headers.push(format!(
                    "{}={}",
                    String::from_utf8_lossy(name),
                    String::from_utf8_lossy(value)
                ));
            })
            .unwrap();
        headers
    }

    #[test]
    fn the_repeated_block_says_the_same_as_the_first() {
        for path in ["/short/Path", &format!("/{}", "long".repeat(100))] {
            let mut decoder = Decoder::default();
            let first = read(&mut decoder, &first_block(path, "localhost"));
            assert_eq!(read(&mut decoder, &REPEATED_BLOCK), first);
            assert!(first.contains(&format!(":path={path}")));
            assert!(first.contains(&"te=trailers".to_owned()));
        }
    }

    #[test]
    fn the_responses_of_rfc_7541_appendix_c6_decode() {
        let mut decoder = Decoder::default();
        assert!(decoder.table.resize(256));
        let block = [
            0x48, 0x82, 0x64, 0x02, 0x58, 0x85, 0xae, 0xc3, 0x77, 0x1a, 0x4b, 0x61, 0x96, 0xd0,
            0x7a, 0xbe, 0x94, 0x10, 0x54, 0xd4, 0x44, 0xa8, 0x20, 0x05, 0x95, 0x04, 0x0b, 0x81,
            0x66, 0xe0, 0x82, 0xa6, 0x2d, 0x1b, 0xff, 0x6e, 0x91, 0x9d, 0x29, 0xad, 0x17, 0x18,
            0x63, 0xc7, 0x8f, 0x0b, 0x97, 0xc8, 0xe9, 0xae, 0x82, 0xae, 0x43, 0xd3,
        ];
        let headers = read(&mut decoder, &block);
        assert_eq!(headers[0], ":status=302");
        assert_eq!(headers[3], "location=https://www.example.com");
        let second = read(
            &mut decoder,
            &[0x48, 0x83, 0x64, 0x0e, 0xff, 0xc1, 0xc0, 0xbf],
        );
        assert_eq!(second[0], ":status=307");
        assert_eq!(second[1..], headers[1..]);
    }

    proptest::proptest! {
        #[test]
        fn no_block_makes_the_decoder_panic(block: Vec<u8>) {
            let _ = Decoder::default().decode(&block, |_, _| {});
        }
    }
}
