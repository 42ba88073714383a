//! What one connection has to append to one partition: in order, one append at a time, each with all that queued up
//! behind the one before. So the offsets of a writer rise with its seq unless an append had to be made again.

use std::collections::VecDeque;

use bytes::Bytes;
use corral_domain::limits::{APPEND_BYTES_MAX, APPEND_RECORDS_MAX};
use corral_domain::{CommandId, Partition};
use tokio::sync::OwnedSemaphorePermit;

/// A record that waits to become durable.
pub(crate) struct Pending {
    pub handle: u32,
    pub first: u64,
    pub last: u64,
    pub what: What,
    pub record: Bytes,
    /// Gives the bytes back to the process' window when it goes.
    pub _permit: OwnedSemaphorePermit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Items,
    /// Item 1: its outcome is awaited once it is durable.
    Opening(CommandId),
    /// Has no seq and no acknowledgement.
    Heartbeat,
}

pub(crate) struct Lane {
    pub partition: Partition,
    waiting: VecDeque<Pending>,
    busy: bool,
}

impl Lane {
    pub(crate) fn new(partition: Partition) -> Self {
        Self { partition, waiting: VecDeque::new(), busy: false }
    }

    pub(crate) fn push(&mut self, pending: Pending) {
        self.waiting.push_back(pending);
    }

    /// What came to lie before its predecessor goes first, in its order.
    pub(crate) fn push_again(&mut self, again: Vec<Pending>) {
        for pending in again.into_iter().rev() {
            self.waiting.push_front(pending);
        }
    }

    /// The next append, if none is on its way.
    pub(crate) fn next_append(&mut self) -> Option<Vec<Pending>> {
        if self.busy || self.waiting.is_empty() {
            return None;
        }
        let mut bytes = 0;
        let mut count = 0;
        for pending in self.waiting.iter().take(APPEND_RECORDS_MAX) {
            bytes += pending.record.len();
            if bytes > APPEND_BYTES_MAX && count > 0 {
                break;
            }
            count += 1;
        }
        self.busy = true;
        Some(self.waiting.drain(..count).collect())
    }

    pub(crate) fn append_ended(&mut self) {
        self.busy = false;
    }

    pub(crate) fn is_idle(&self) -> bool {
        !self.busy && self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests;
