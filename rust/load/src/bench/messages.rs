//! Files of messages: each one preceded by its length as a varint.
//!
//! Any protobuf library reads and writes this form, so requests can be made
//! and answers read by whoever knows the schema; this generator does not.

use std::fs;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::encoding::{decode_varint, encode_varint};

use super::error::BenchError;

/// Reads all messages of a file; at least one.
pub fn read(path: &str) -> Result<Vec<Bytes>, BenchError> {
    let content = fs::read(path).map_err(|error| unusable(path, error.to_string()))?;
    let mut rest = Bytes::from(content);
    let mut messages = Vec::new();
    while rest.has_remaining() {
        let length = decode_varint(&mut rest).map_err(|error| unusable(path, error.to_string()))?;
        match usize::try_from(length) {
            Ok(length) if length <= rest.len() => messages.push(rest.split_to(length)),
            _ => {
                return Err(unusable(
                    path,
                    format!("message {} is cut off", messages.len()),
                ));
            }
        }
    }
    if messages.is_empty() {
        return Err(unusable(path, "there are none".to_owned()));
    }
    Ok(messages)
}

/// Writes messages to a file.
pub fn write(path: &str, messages: &[Vec<u8>]) -> Result<(), BenchError> {
    let mut content = BytesMut::new();
    for message in messages {
        encode_varint(message.len() as u64, &mut content);
        content.put_slice(message);
    }
    fs::write(path, content).map_err(|error| unusable(path, error.to_string()))
}

fn unusable(path: &str, problem: String) -> BenchError {
    BenchError::Messages {
        path: path.to_owned(),
        problem,
    }
}
