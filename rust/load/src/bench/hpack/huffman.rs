//! The Huffman code of HPACK (RFC 7541, 5.2 and appendix B).
//!
//! The code is canonical: the lengths below determine it. Decoding goes bit by
//! bit, which is slow and rarely done: servers repeat headers by index.

/// Length in bits of the code of each byte; the last entry is the end of string.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

const LONGEST: usize = 30;

/// The code, ordered as canonical decoding needs it.
#[derive(Debug)]
pub(super) struct Huffman {
    /// For each length: the first code, and where its symbols start.
    first: [(u32, usize); LONGEST + 1],
    counts: [u32; LONGEST + 1],
    /// Symbols by length, then by value.
    symbols: Vec<usize>,
}

impl Huffman {
    pub(super) fn new() -> Self {
        let mut symbols: Vec<usize> = (0..LENGTHS.len()).collect();
        symbols.sort_by_key(|&symbol| (LENGTHS[symbol], symbol));
        let mut counts = [0; LONGEST + 1];
        for length in LENGTHS {
            counts[usize::from(length)] += 1;
        }
        let mut first = [(0, 0); LONGEST + 1];
        let (mut code, mut start) = (0, 0);
        for length in 1..=LONGEST {
            code = (code + counts[length - 1]) << 1;
            first[length] = (code, start);
            start += counts[length] as usize;
        }
        Self {
            first,
            counts,
            symbols,
        }
    }

    /// Decodes a string; `None` if it is not the code of one.
    pub(super) fn decode(&self, encoded: &[u8]) -> Option<Vec<u8>> {
        let mut decoded = Vec::with_capacity(encoded.len() * 2);
        let (mut code, mut length) = (0_u32, 0_usize);
        for bit in encoded
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1))
        {
            code = code << 1 | u32::from(bit);
            length += 1;
            if length > LONGEST {
                return None;
            }
            let (first, start) = self.first[length];
            if code >= first && code - first < self.counts[length] {
                let symbol = self.symbols[start + (code - first) as usize];
                decoded.push(u8::try_from(symbol).ok()?);
                (code, length) = (0, 0);
            }
        }
        // What is left must be padding: fewer than eight bits, all ones.
        (length < 8 && code + 1 == 1 << length).then_some(decoded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(hex: &str) -> Option<Vec<u8>> {
        let bytes: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        Huffman::new().decode(&bytes)
    }

    #[test]
    fn the_strings_of_rfc_7541_appendix_c_decode() {
        for (hex, text) in [
            ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
            ("a8eb10649cbf", "no-cache"),
            ("25a849e95bb8e8b4bf", "custom-value"),
            ("6402", "302"),
            (
                "d07abe941054d444a8200595040b8166e082a62d1bff",
                "Mon, 21 Oct 2013 20:13:21 GMT",
            ),
        ] {
            assert_eq!(decode(hex).as_deref(), Some(text.as_bytes()));
        }
    }

    #[test]
    fn wrong_padding_is_refused() {
        for hex in ["a8eb10649cbe", "ff", "ffffffff"] {
            assert_eq!(decode(hex), None, "{hex}");
        }
    }
}
