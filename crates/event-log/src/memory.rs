//! A log in memory: for tests; `serve` never runs on it.
//!
//! It keeps every promise of the trait but durability, and it can be told that some offsets are damaged, so that what
//! stands above a log can be tested against holes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use corral_domain::limits::{COMPLETE_THROUGH_LAG_US, LOG_READ_BYTES_MAX};
use corral_domain::{Micros, Offset, Partition};
use tokio::sync::watch;

use crate::{
    Appended, Batch, Clock, EventLog, Extent, Hole, LogError, LogIdentity, Record, check_append, check_partition,
};

/// The log. Share it in an `Arc`.
pub struct MemoryLog {
    identity: LogIdentity,
    clock: Clock,
    lanes: Vec<Lane>,
}

struct Lane {
    state: Mutex<State>,
    tail: watch::Sender<Offset>,
}

#[derive(Default)]
struct State {
    /// Offset of `records[0]`.
    start: u64,
    records: VecDeque<Record>,
    last_time: Option<Micros>,
    /// Sorted, apart.
    holes: Vec<Hole>,
}

impl MemoryLog {
    pub fn new(identity: LogIdentity, clock: Clock) -> Self {
        let lane = || Lane { state: Mutex::default(), tail: watch::Sender::new(Offset::ZERO) };
        let lanes = (0..identity.partitions).map(|_| lane()).collect();
        Self { identity, clock, lanes }
    }

    /// Makes `[from, to)` a hole, as damage would.
    pub fn damage(&self, hole: Hole) -> Result<(), LogError> {
        let mut state = self.lane(hole.partition)?.lock();
        state.holes.push(hole);
        state.holes.sort_by_key(|hole| hole.from);
        Ok(())
    }

    fn lane(&self, partition: Partition) -> Result<&Lane, LogError> {
        check_partition(&self.identity, partition)?;
        Ok(&self.lanes[usize::from(partition.0)])
    }
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(&self) -> u64 {
        self.start + self.records.len() as u64
    }

    fn check(&self, partition: Partition, offset: Offset) -> Result<(), LogError> {
        if (self.start..=self.end()).contains(&offset.0) {
            return Ok(());
        }
        Err(LogError::OutOfRange { partition, offset, start: Offset(self.start), end: Offset(self.end()) })
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    fn identity(&self) -> LogIdentity {
        self.identity
    }

    async fn append(&self, partition: Partition, records: Vec<Bytes>) -> Result<Appended, LogError> {
        check_append(&self.identity, partition, &records)?;
        let lane = self.lane(partition)?;
        let mut state = lane.lock();
        let appended = Appended::consecutive(partition, Offset(state.end()), records.len());
        for bytes in records {
            let now = (self.clock)();
            let append_time = state.last_time.map_or(now, |last| now.max(Micros(last.0 + 1)));
            state.last_time = Some(append_time);
            let offset = Offset(state.end());
            state.records.push_back(Record { offset, append_time, bytes });
        }
        lane.tail.send_replace(Offset(state.end()));
        Ok(appended)
    }

    async fn read(&self, partition: Partition, from: Offset, bytes_max: usize) -> Result<Batch, LogError> {
        let state = self.lane(partition)?.lock();
        state.check(partition, from)?;
        let bytes_max = bytes_max.min(LOG_READ_BYTES_MAX);
        let mut batch = Batch { next: from, ..Batch::default() };
        let mut bytes = 0;
        while batch.next.0 < state.end() {
            if let Some(hole) = state.holes.iter().find(|hole| hole.from <= batch.next && batch.next < hole.to) {
                batch.holes.push(*hole);
                batch.next = hole.to.min(Offset(state.end()));
                continue;
            }
            let record = &state.records[(batch.next.0 - state.start) as usize];
            bytes += record.bytes.len();
            if !batch.records.is_empty() && bytes > bytes_max {
                break;
            }
            batch.records.push(record.clone());
            batch.next = batch.next.next();
        }
        Ok(batch)
    }

    async fn extent(&self, partition: Partition) -> Result<Extent, LogError> {
        let state = self.lane(partition)?.lock();
        let holes = state.holes.clone();
        let (start, tail) = (Offset(state.start), Offset(state.end()));
        Ok(Extent { start, tail, holes, late_us_max: COMPLETE_THROUGH_LAG_US })
    }

    async fn wait(&self, partition: Partition, from: Offset) -> Result<(), LogError> {
        let mut tail = self.lane(partition)?.tail.subscribe();
        let seen = tail.wait_for(|tail| *tail > from).await;
        seen.map(|_| ()).map_err(|_| LogError::Unavailable("the log was closed".to_owned()))
    }

    async fn trim(&self, partition: Partition, below: Offset) -> Result<Offset, LogError> {
        let mut state = self.lane(partition)?.lock();
        if below.0 > state.end() {
            state.check(partition, below)?;
        }
        while state.start < below.0 {
            state.records.pop_front();
            state.start += 1;
        }
        let start = Offset(state.start);
        state.holes.retain(|hole| hole.to > start);
        Ok(start)
    }
}

#[cfg(test)]
mod tests;
