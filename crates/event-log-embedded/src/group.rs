//! Appends that share one sync, encoded as one batch each.

use bytes::Bytes;
use corral_domain::{Micros, Offset, Partition};
use corral_event_log::{Appended, Clock, LogError};
use corral_segment::format::{BATCH_HEADER_BYTES, BatchHead, Full, Hash, RECORD_HEADER_BYTES, encode_batch, hash};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::scan::{INDEX_BYTES, IndexEntry};

/// An append that waits to become durable.
pub(crate) struct Waiting {
    pub(crate) records: Vec<Bytes>,
    pub(crate) reply: oneshot::Sender<Result<Appended, LogError>>,
    /// Room in the queue, given back when the append is answered.
    pub(crate) room: OwnedSemaphorePermit,
}

impl Waiting {
    /// Bytes of its batch.
    pub(crate) fn batch_bytes(&self) -> u64 {
        let records: usize = self.records.iter().map(|record| record.len() + RECORD_HEADER_BYTES).sum();
        (BATCH_HEADER_BYTES + records) as u64
    }
}

/// Where a partition stands behind a batch.
#[derive(Clone)]
pub(crate) struct Stand {
    /// The next offset.
    pub(crate) next: u64,
    pub(crate) last_time: Micros,
    pub(crate) last_hash: Hash,
    pub(crate) last_index_at: Option<u64>,
}

pub(crate) struct Group {
    salt: u64,
    /// Place of the group in the file.
    at: u64,
    /// All below is durable already.
    synced: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) index: Vec<IndexEntry>,
    pub(crate) stand: Stand,
    pub(crate) full: Full,
}

/// Where an append will be durable, and who wants to know.
pub(crate) struct Answer {
    reply: oneshot::Sender<Result<Appended, LogError>>,
    first: Offset,
    count: usize,
    room: OwnedSemaphorePermit,
}

impl Group {
    /// A group that is to be written at `at`, behind what `stand` and `full` say.
    pub(crate) fn new(salt: u64, at: u64, stand: Stand, full: Full) -> Self {
        let synced = stand.next;
        Self { salt, at, synced, bytes: Vec::new(), answers: Vec::new(), index: Vec::new(), stand, full }
    }

    pub(crate) fn add(&mut self, waiting: Waiting, clock: &Clock) {
        let Waiting { records, reply, room } = waiting;
        let Stand { next, last_time, last_hash, last_index_at } = self.stand;
        let time = clock().max(Micros(last_time.0.saturating_add(1)));
        let count = records.len() as u64;
        let head = BatchHead { first: next, count, synced: self.synced, time, previous: last_hash, is_footer: false };
        let (start, at) = (self.bytes.len(), self.at + self.bytes.len() as u64);
        encode_batch(&mut self.bytes, self.salt, &head, &records);
        let last_hash = hash(&self.bytes[start..]);
        self.full.add(&last_hash);
        let indexed = last_index_at.is_none_or(|last| at - last >= INDEX_BYTES);
        if indexed {
            self.index.push(IndexEntry { offset: next, at });
        }
        let last_index_at = if indexed { Some(at) } else { last_index_at };
        self.stand = Stand { next: head.end(), last_time: head.last_time(), last_hash, last_index_at };
        self.answers.push(Answer { reply, first: Offset(next), count: records.len(), room });
    }
}

impl Answer {
    pub(crate) fn acknowledge(self, partition: u16, allowed: Result<(), LogError>) {
        let places = Appended::consecutive(Partition(partition), self.first, self.count);
        drop(self.room);
        // A caller that went away does not need the answer.
        let _ = self.reply.send(allowed.map(|()| places));
    }
}
