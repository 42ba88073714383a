//! RPC messages to domain types and back; one place maps errors to statuses.
//!
//! Generated types stop here (and in `corral-event-codec`, for what is persisted): services speak them at their edge
//! only, the crates under them never.

pub mod codec;
pub mod error;
#[cfg(feature = "server")]
mod freshness;
#[cfg(feature = "server")]
mod metric;
pub mod position;
#[cfg(feature = "server")]
mod project;
#[cfg(feature = "server")]
mod run;
#[cfg(feature = "server")]
mod series;
#[cfg(feature = "server")]
mod unknown;

pub use error::{ApiError, ErrorKind};
#[cfg(feature = "server")]
pub use project::{projects_from_proto, projects_to_proto};
#[cfg(feature = "server")]
pub use run::{run_from_proto, run_to_proto, runs_from_proto, runs_to_proto};
#[cfg(feature = "server")]
pub use series::{history_from_proto, history_to_proto};
#[cfg(feature = "server")]
pub use unknown::DESCRIPTORS;

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
