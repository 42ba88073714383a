//! The embedded read store: one LSM tree (`fjall`) per build, in a directory of its own.
//!
//! # Why one tree for all tables
//!
//! A commit is one batch (rows, state and checkpoint), written to the journal first and synced about once a second, off
//! the path of any acknowledgement. After a power loss the journal is a prefix of the commits. Were tables trees of their
//! own, one tree's flushed tables could hold commits that the journal, and so the other trees, have lost: state that
//! claims rows which are not there. With one tree whatever was flushed is a prefix too, so a store that opens is the
//! store as it was after some commit, and the projector replays from its checkpoint.
//!
//! # Keys and values
//!
//! Key: table (u8), length of the partition key (u16, big-endian), partition key, clustering key; so a partition's rows
//! lie together in clustering order. Value: a byte 1 (live) or 2 (deleted), the row's timestamp (u64, little-endian), the
//! value. See [`codec`].
//!
//! # Last write wins
//!
//! Rows that are rewritten are compared with what is there before they are written, and their deletes are kept as rows.
//! Rows of appended tables ([`Table::is_appended`](corral_read_store::Table::is_appended)) are written without looking
//! and really removed: the directory has one owner (a file lock) and commits are atomic, so a commit is never applied
//! twice and nothing arrives late; the row is a pure function of its key anyway.

mod builds;
mod codec;
mod store;

pub use builds::{Builds, Opened};
pub use store::EmbeddedStore;
