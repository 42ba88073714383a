//! The spool: a client's durable queue, from which everything that a training program logs is sent.
//!
//! The way of an item:
//!
//! 1. [`Spool::append_with`] writes it into a memory-mapped **ring** of a file that was really allocated. A store into a
//!    mapped page survives the death of the process, so `SIGKILL` loses nothing that `append` returned for; a thread calls
//!    `fdatasync` each second, which bounds what a power cut takes.
//! 2. When the ring is full of items that nobody acknowledged, items go to plain **overflow** files, and when these have
//!    reached their bound the oldest are dropped. What was dropped is told as a gap.
//! 3. **Control** items (opened, finished, config, definitions, gaps) have files of their own and are never dropped.
//! 4. [`Spool::read`] gives a writer's items back in seq order, with a gap in place of each that is missing.
//! 5. [`Spool::ack`] says what is durable elsewhere; acknowledged items stay until their space is needed.
//! 6. A ring whose process has ended is found by [`orphans`], locked, read and unlinked by another. It is never
//!    appended to: a continued ring would lose items after a power cut.
//!
//! Several writers (openings of runs) share a spool; an item names its writer by a number of the spool's own.
//! `layout` has the bytes. Everything lies under one short lock; nothing waits on a device while holding it, save the
//! plain write of an overflow or control item into a local disk's page cache: where the ring is not mapped (a network's file
//! system), a thread makes, writes and removes all files (`later`).

mod control;
mod error;
mod extent;
mod fork;
mod item_file;
mod later;
mod layout;
mod overflow;
mod reader;
mod recover;
mod region;
mod ring;
mod room;
mod spool;
mod sync;
mod writer;

pub use error::SpoolError;
pub use fork::generation as fork_generation;
pub use layout::{ITEM_PAYLOAD_BYTES_MAX, Owner};
pub use reader::{Chunk, Cursor, Item, ItemKind};
pub use recover::{Orphan, has_ended, orphans, sweep};
pub use spool::{Options, Spool, Stats};
pub use writer::{GapNote, WriterIdentity, WriterIndex, WriterSummary};
