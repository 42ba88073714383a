//! One writer of a connection: which seq comes next, and which are acknowledged.

use corral_domain::{Append, Offset, Partition, RunId, StreamKey, WriterId};
use corral_wire::ApiError;

use crate::frame::OpenWriter;

/// A writer after its handshake.
#[derive(Debug)]
pub struct Writer {
    pub run: RunId,
    pub stream: StreamKey,
    pub partition: Partition,
    pub writer: WriterId,
    pub epoch: u32,
    /// The seq after the last one taken; a batch that begins later does not follow.
    next: u64,
    pub acks: Acks,
    /// Item 1 waits for its project: nothing may overtake it.
    pub resolving: bool,
}

impl Writer {
    pub fn new(open: &OpenWriter, stream: StreamKey, partition: Partition, acked: u64) -> Self {
        Self {
            run: open.run.clone(),
            stream,
            partition,
            writer: open.writer,
            epoch: open.epoch,
            next: acked.saturating_add(1),
            acks: Acks::new(acked),
            resolving: false,
        }
    }

    /// What is sent again (`first` at or below the last seq taken) is appended all the same: doors never deduplicate.
    pub fn follows(&self, first: u64) -> Result<(), ApiError> {
        match first <= self.next {
            true => Ok(()),
            false => Err(ApiError::seq_gap(self.next, first)),
        }
    }

    pub fn taken(&mut self, last: u64) {
        self.next = self.next.max(last.saturating_add(1));
    }

    pub fn next(&self) -> u64 {
        self.next
    }
}

/// What to do with a batch that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landed {
    /// Everything up to here may be acknowledged.
    Ack(u64),
    /// It lies before its predecessor, where the deduplication stage skips it: append it again.
    Again,
}

/// Acknowledges seq n only when all items up to n are durable **and their offsets rise with their seq**.
#[derive(Debug)]
pub struct Acks {
    acked: u64,
    /// The last batch counted, and where it lies.
    last: Option<Offset>,
}

impl Acks {
    pub fn new(acked: u64) -> Self {
        Self { acked, last: None }
    }

    /// Batches come here in the order of their seq, each when it is durable.
    pub fn landed(&mut self, first: u64, last: u64, at: Append) -> Landed {
        let behind = self.last.is_some_and(|offset| at.offset <= offset);
        if behind || first > self.acked.saturating_add(1) {
            return Landed::Again;
        }
        self.last = Some(at.offset);
        self.acked = self.acked.max(last);
        Landed::Ack(self.acked)
    }

    pub fn acked(&self) -> u64 {
        self.acked
    }
}

#[cfg(test)]
mod tests;
