//! `event.proto` to domain and back: the bytes that a log, a spool and a tail row hold.
//!
//! Generated types stop here. Decoding checks shape and bounds and names the field that is wrong; arrays stay the bytes
//! that came. Unknown fields are never needed again, because events are passed on as their original bytes.

use bytes::Bytes;
use corral_domain::{Envelope, RunEntry};
use prost::Message;

mod envelope;
mod metric;
mod point;
mod project;
mod run;
mod scalar;

pub use project::{decode_project_name_claimed, encode_project_name_claimed};

/// The generated messages: for `corral-wire`, whose messages hold some of them.
#[allow(clippy::all, clippy::unwrap_used, unreachable_pub, missing_docs)]
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/corral.v1.rs"));
}

/// Why bytes are not an event: names the field and the limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct InvalidEvent {
    pub field: &'static str,
    pub reason: String,
    /// The item of the record that is wrong, counted from 0, where one is.
    pub item: Option<u64>,
}

impl InvalidEvent {
    pub(crate) fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self { field, reason: reason.into(), item: None }
    }
}

impl From<corral_domain::IdError> for InvalidEvent {
    fn from(error: corral_domain::IdError) -> Self {
        Self::new(error.field, error.reason)
    }
}

pub fn encode_envelope(envelope: &Envelope) -> Bytes {
    envelope::to_proto(envelope).encode_to_vec().into()
}

/// The payload keeps pointing into `bytes`.
pub fn decode_envelope(bytes: &Bytes) -> Result<Envelope, InvalidEvent> {
    let proto =
        proto::Envelope::decode(bytes.clone()).map_err(|error| InvalidEvent::new("envelope", error.to_string()))?;
    envelope::from_proto(proto)
}

/// The W3C `traceparent` of an envelope, where there is one: for whoever carries the record and reads nothing else of it.
pub fn traceparent(bytes: &Bytes) -> Option<String> {
    let trace = proto::Envelope::decode(bytes.clone()).ok()?.trace?;
    Some(trace.traceparent).filter(|parent| !parent.is_empty())
}

pub fn encode_run_items(entries: &[RunEntry]) -> Bytes {
    let entries = entries.iter().map(run::to_proto).collect();
    proto::RunItems { entries }.encode_to_vec().into()
}

/// Checks every bound of a record's items; an error names the item.
pub fn decode_run_items(bytes: &Bytes) -> Result<Vec<RunEntry>, InvalidEvent> {
    RawItems::decode(bytes)?.check()
}

/// A record's items, decoded and not checked: for a door, which must also know whether they are all that was sent.
pub struct RawItems(proto::RunItems);

impl RawItems {
    pub fn decode(bytes: &Bytes) -> Result<Self, InvalidEvent> {
        let decoded = proto::RunItems::decode(bytes.clone());
        Ok(Self(decoded.map_err(|error| InvalidEvent::new("items", error.to_string()))?))
    }

    /// True only if `bytes`, from which they were decoded, say nothing else: a field that is not known is dropped, and
    /// missing from the length. False says that one must look: known fields may be written at greater length too.
    pub fn are_all_of(&self, bytes: &Bytes) -> bool {
        self.0.encoded_len() == bytes.len() && !self.0.entries.iter().any(may_be_shorter)
    }

    pub fn check(self) -> Result<Vec<RunEntry>, InvalidEvent> {
        let mut entries = Vec::with_capacity(self.0.entries.len());
        let mut item = 0_u64;
        for entry in self.0.entries {
            let entry = run::from_proto(entry).map_err(|error| InvalidEvent { item: Some(item), ..error })?;
            item = item.saturating_add(entry.items());
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// A negative int32 is ten bytes long, and is read from five too: room for a field that is not known. (Enums are the
/// other fields of that kind; a negative one is refused.)
fn may_be_shorter(entry: &proto::RunEntry) -> bool {
    match &entry.entry {
        Some(proto::run_entry::Entry::Finished(finished)) => finished.exit_code.is_some_and(|code| code < 0),
        _ => false,
    }
}

/// The number of items that entries cover.
pub fn item_count(entries: &[RunEntry]) -> u64 {
    entries.iter().fold(0_u64, |sum, entry| sum.saturating_add(entry.items()))
}

#[cfg(test)]
mod tests;
