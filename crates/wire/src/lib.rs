//! RPC messages to domain types and back; one place maps errors to statuses.
//!
//! Generated types stop here (and in `corral-event-codec`, for what is persisted): services speak them at their edge
//! only, the crates under them never.

pub mod error;
pub mod position;

pub use error::{ApiError, ErrorKind};

/// The generated messages, clients and servers. Messages of `event.proto` are those of `corral-event-codec`.
#[allow(
    clippy::all,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    unused_qualifications,
    missing_docs
)]
pub mod proto {
    pub use corral_event_codec::proto::*;

    include!(concat!(env!("OUT_DIR"), "/corral.v1.rs"));
}

/// Every file of `proto/corral/v1` as a `google.protobuf.FileDescriptorSet`: for reflection, and for JSON.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/corral.v1.descriptors.bin"));
