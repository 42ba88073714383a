//! What a connection says and hears, without a protocol.

use bytes::Bytes;
use corral_domain::{Append, LogEpoch, Outcome, RunId, TraceContext, WriterId};
use corral_wire::ApiError;

/// A client's frame after its hello. `handle` is the client's own number of a writer in this connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    OpenWriter(OpenWriter),
    Batch(Batch),
    Heartbeat { handle: u32 },
}

/// The resume handshake of one writer.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenWriter {
    pub handle: u32,
    pub run: RunId,
    pub writer: WriterId,
    pub epoch: u32,
    /// The last acknowledgement that the client has seen; seq 0 if none.
    pub acked_seq: u64,
    pub acked_log_epoch: LogEpoch,
    /// Empty if none.
    pub acked_actor: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    pub handle: u32,
    pub first: u64,
    pub last: u64,
    pub take: u32,
    pub client_time_us: i64,
    /// `RunItems` of `event.proto`.
    pub items: Bytes,
    pub trace: TraceContext,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    Ready {
        handle: u32,
        resume_from: u64,
        log_epoch: LogEpoch,
    },
    /// Everything up to `seq` is durable; `append` is where the last of it lies.
    Ack {
        handle: u32,
        seq: u64,
        append: Append,
    },
    Opened {
        handle: u32,
        outcome: Outcome,
    },
    /// Not appended. `first` is 0 for a handshake.
    Refused {
        handle: u32,
        first: u64,
        last: u64,
        error: ApiError,
    },
    Drain {
        reconnect_after_ms: u64,
    },
}
