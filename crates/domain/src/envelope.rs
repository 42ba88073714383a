//! The envelope of an event: all that the deduplication stage reads.

use bytes::Bytes;

use crate::id::{Actor, CommandId, EventId, LogId, WriterId};
use crate::position::{LogEpoch, Micros, Offset, Partition};
use crate::run::Take;
use crate::stream::StreamKey;

/// What a payload holds. The numbers are persisted; a retired one stays retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// Items of one writer of a run, in seq order.
    RunItems = 1,
    /// A run's process lives; no seq, no payload.
    RunHeartbeat = 2,
    ProjectNameClaimed = 3,
}

/// Whose items a record holds: the closed range `[first, last]`, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WriterRange {
    pub writer: WriterId,
    pub epoch: u32,
    pub first: u64,
    pub last: u64,
}

/// W3C trace context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceContext {
    pub traceparent: String,
    pub tracestate: String,
}

/// Where a record that was pushed from another log lay there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    pub log_id: LogId,
    pub log_epoch: LogEpoch,
    pub partition: Partition,
    pub offset: Offset,
    /// When it was first appended, whichever logs it has been through since.
    pub append_time: Micros,
    /// A hole lay before it: what the deduplication stage made of it there it makes of it here.
    pub after_hole: bool,
}

/// One record's envelope; the append time is the log's, in the record's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub stream: StreamKey,
    pub event_id: EventId,
    pub kind: EventType,
    pub schema_version: u32,
    /// A reader below this stops the partition with a clear message and does not guess.
    pub min_reader_version: u32,
    /// 0: the payload is plain.
    pub codec: u32,
    pub actor: Actor,
    /// Microseconds since the Unix epoch by the client's clock: data, never order.
    pub client_time_us: i64,
    /// Present on a run's items.
    pub writer: Option<WriterRange>,
    pub command_id: Option<CommandId>,
    /// The take that the items belong to; 0 for a record that opens one.
    pub take: Take,
    pub trace: TraceContext,
    /// The data key that encrypts the payload; empty: none.
    pub sealed_with: String,
    pub payload: Bytes,
    /// `None`: it was first appended to this log.
    pub pushed: Option<Pushed>,
}

impl Envelope {
    /// The append time that counts, before each stream makes its own rise: `stamp` is this log's.
    pub fn append_time(&self, stamp: Micros) -> Micros {
        self.pushed.map_or(stamp, |pushed| pushed.append_time)
    }

    /// Whether a hole lay before it, here or where it was pushed from.
    pub fn after_hole(&self, hole_before: bool) -> bool {
        hole_before || self.pushed.is_some_and(|pushed| pushed.after_hole)
    }
}

/// What this build can read (`Envelope::min_reader_version`) and writes (`schema_version`).
pub const READER_VERSION: u32 = 1;
pub const SCHEMA_VERSION: u32 = 1;
