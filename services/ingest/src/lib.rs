//! The telemetry door: training programs append, acknowledgements come back.
//!
//! Path of a batch: [`rpc`] turns a frame into a [`frame::Batch`]; [`connection`] finds its writer and asks [`check`]
//! whether shape and bounds are right; it is wrapped into an envelope and queued in the [`lane`] of its partition; the
//! lane appends what has queued up, in order; [`writer`] turns "durable at this offset" into an acknowledgement.
//!
//! A door checks shape, rights and bounds and decides nothing that depends on order: the opening of a run is an event
//! whose outcome the projection writes, and [`opening`] waits for that row.

pub mod canonical;
pub mod check;
pub mod connection;
pub mod counters;
pub mod door;
pub mod frame;
pub mod lane;
pub mod opening;
pub mod rpc;
pub mod writer;

pub use counters::Counters;
pub use door::{Author, IngestDoor};
