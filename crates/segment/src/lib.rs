//! Segment files: what the embedded log appends to, and what the archive holds.
//!
//! [`format`](mod@format) has the bytes, one batch at a time, for a log that writes them as they come. [`sealed`] writes and
//! reads whole files that nothing is appended to any more.

pub mod format;
pub mod sealed;
