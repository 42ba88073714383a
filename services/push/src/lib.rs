//! `corral push`: a log's records, from a laptop, a backup or an air-gapped cluster, into another Corral.
//!
//! ```text
//! source (a log, or an archive)
//!   ─► survey: its runs, writers, projects and accounts; what the target has of them; clashes, before anything is sent
//!   ─► mapping: organization, accounts, run ids, projects; where and when the record was, in its envelope
//!   ─► PushService ─► the target's log ─► its projections
//! ```
//!
//! **Exactly once.** A record keeps its writer and its seqs, so the target's deduplication stage takes each item once,
//! however often it is sent; an event without a seq (a heartbeat, a claim of a name) leaves no trace the second time. What
//! need not be sent again is asked of the target's own read models: how far each writer was applied. Nothing is remembered
//! beside its log, so a push may be killed anywhere and begun anew, and a later one sends what has come since.
//!
//! **In order.** Streams keep their order: a source partition is sent from one place, batch after batch, each durable
//! before the next is sent.

mod door;
mod mapping;
mod push;
mod rpc;
mod source;
mod standing;
mod survey;
mod target;

pub use door::PushDoor;
pub use mapping::{InvalidMap, Mapping};
pub use push::{Clash, Plan, Progress, PushError, Pushed, push};
pub use rpc::PushRpc;
pub use source::Source;
pub use target::{RpcTarget, Target};
