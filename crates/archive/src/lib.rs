//! The archive: closed ranges of the event log as immutable, hashed segments in the blob store, so that what a log forgets
//! never limits a rebuild. It is the log's backup, and what is pushed into another Corral.
//!
//! ```text
//! log record ─► Gathering (what was appended twice is left out) ─► segment ─► entry of the manifest ─► deduplication
//!
//! archive/<log id>/<log epoch>/
//!   identity                        how many partitions the log has               (catalogue.rs)
//!   p00000/                         a partition
//!     segments/<first offset>-<sha256>.seg   as the embedded log writes them      (corral-segment)
//!     manifest/<number>             which segment comes next, and its hash        (entry.rs)
//!     deduplication                 where each writer stands                      (standings.rs)
//! ```
//!
//! **The manifest** of a partition only grows: an entry is an object of its own, numbered from 0, put only where there is
//! none, and it names the hash of the entry before it. So whatever step a writer dies at, and whoever else writes, what
//! the entries name is there and is what it was; a segment that no entry names is garbage of a writer that died or came
//! second, and is removed when it is a day old.
//!
//! **Left out** is a record whose items were all applied before, as the deduplication stage says (it alone is asked, never
//! again behind a hole): it leaves no trace in any projection, so a rebuild from the archive is the same to the last byte.
//! A record that repeats only in part stays whole. Every record keeps its offset and its append time.

mod archive;
mod catalogue;
mod entry;
mod gathering;
mod log;
mod manifest;
mod standings;

pub use archive::{Archive, ArchiveError};
pub use catalogue::{Archived, find};
pub use entry::Entry;
pub use gathering::{Gathering, Limits, up_to_tail};
pub use log::ArchivedLog;
