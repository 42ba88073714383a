//! Page tokens: opaque to the caller, versioned, bound to the question they came from.
//!
//! Hexadecimal of: version (1), FNV-1a of the question (8 bytes), the place (a `part!` of the list's own), FNV-1a of all
//! that (4 bytes). They guard against mistakes; rights are checked on every call.

use bytes::Bytes;
use corral_read_store::layout::Field;

use crate::QueryError;

const VERSION: u8 = 1;
/// A longer token was never ours.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// What a question is, for its tokens: fields in a fixed order, each with its length.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question(u64);

impl Question {
    pub(crate) fn new(name: &str) -> Self {
        Self(0xcbf2_9ce4_8422_2325).with(name.as_bytes())
    }
    pub(crate) fn with(self, field: &[u8]) -> Self {
        Self(fnv(fnv(self.0, &(field.len() as u64).to_le_bytes()), field))
    }
    pub(crate) fn with_number(self, field: impl Into<i128>) -> Self {
        self.with(&field.into().to_le_bytes())
    }
}

fn fnv(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

pub(crate) fn encode<P: Field>(question: Question, place: &P) -> String {
    let mut bytes = vec![VERSION];
    question.0.put(&mut bytes);
    place.put(&mut bytes);
    let check = fnv(0, &bytes) as u32;
    check.put(&mut bytes);
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|half| char::from_digit(half.into(), 16)).collect()
}

/// `None` for the empty token: the first page.
pub(crate) fn decode<P: Field>(question: Question, token: &str) -> Result<Option<P>, QueryError> {
    if token.is_empty() {
        return Ok(None);
    }
    let wrong = |reason| QueryError::invalid("page_token", reason);
    let bytes = hex(token).ok_or_else(|| wrong("is not one of ours"))?;
    let (body, check) = bytes.split_last_chunk::<4>().ok_or_else(|| wrong("is not one of ours"))?;
    if fnv(0, body) as u32 != u32::from_le_bytes(*check) {
        return Err(wrong("is not one of ours"));
    }
    let mut input = Bytes::copy_from_slice(body);
    if u8::take(&mut input) != Ok(VERSION) {
        return Err(wrong("is of another version: begin again"));
    }
    if u64::take(&mut input) != Ok(question.0) {
        return Err(wrong("is of another question: begin again"));
    }
    let place = P::take(&mut input).map_err(|_| wrong("is not one of ours"))?;
    if input.is_empty() { Ok(Some(place)) } else { Err(wrong("is not one of ours")) }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    if text.len() > TOKEN_BYTES_MAX || !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|d| d as u8);
    text.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests;
