//! Nouns, typed ids and events of Corral: no I/O, no async, no encoding.
//!
//! Everything else depends on this crate and it depends on nothing of ours. A type here is what the *program* means;
//! the bytes that cross a disk live in `corral-event-codec` and in the crates that own a file, those that cross a
//! process in `corral-wire`.

pub mod envelope;
pub mod id;
pub mod limits;
pub mod metric;
pub mod outcome;
pub mod point;
pub mod position;
pub mod project;
pub mod run;
pub mod scalar;
pub mod stream;

pub use envelope::{Envelope, EventType, Pushed, TraceContext, WriterRange};
pub use id::{Actor, CommandId, EventId, IdError, LogId, OrganizationId, ProjectId, RunId, WriterId};
pub use outcome::Outcome;
pub use point::{Column, ColumnType, StepGroup, Value};
pub use position::{Append, BuildId, LogEpoch, Micros, Offset, Partition, Position};
pub use run::{RunEntry, RunState, Take};
pub use stream::{StreamKey, StreamKind};
