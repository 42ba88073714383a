//! What this process knows of one partition: how far it goes, and whether it was stopped.

use std::sync::{Mutex, PoisonError};

use corral_domain::{LogId, Micros, Offset, Partition};
use corral_event_log::LogError;
use tokio::sync::watch;

/// Why a partition must not be used any more. It stays so until the process ends: whoever looks into it decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    Truncated { was: Offset, end: Offset },
    Replaced { expected: LogId, found: String },
}

#[derive(Clone, Debug, Default)]
struct Stand {
    /// All below is known to be durable: acknowledged to us, or seen.
    tail: Offset,
    alarm: Option<Alarm>,
}

pub(crate) struct Lane {
    pub(crate) partition: Partition,
    stand: watch::Sender<Stand>,
    /// The append time of the last record that was queued here. Whoever holds it queues.
    last_time: Mutex<Micros>,
}

impl Lane {
    pub(crate) fn new(partition: Partition, tail: Offset, last_time: Micros) -> Self {
        Self { partition, stand: watch::Sender::new(Stand { tail, alarm: None }), last_time: Mutex::new(last_time) }
    }

    pub(crate) fn tail(&self) -> Offset {
        self.stand.borrow().tail
    }

    /// All below `tail` is durable.
    pub(crate) fn reached(&self, tail: Offset) {
        self.stand.send_if_modified(|stand| {
            let moved = stand.tail < tail;
            stand.tail = stand.tail.max(tail);
            moved
        });
    }

    /// Refuses what is asked of a stopped partition.
    pub(crate) fn check(&self) -> Result<(), LogError> {
        let alarm = self.stand.borrow().alarm.clone();
        alarm.map_or(Ok(()), |alarm| Err(self.error(alarm)))
    }

    /// Stops the partition; answers with the error. The first reason stays.
    pub(crate) fn stop(&self, alarm: Alarm) -> LogError {
        self.stand.send_if_modified(|stand| {
            let first = stand.alarm.is_none();
            if first {
                tracing::error!(partition = self.partition.0, ?alarm, "the partition was stopped");
                stand.alarm = Some(alarm.clone());
            }
            first
        });
        self.error(self.stand.borrow().alarm.clone().unwrap_or(alarm))
    }

    /// Returns once the tail is above `from`, or with the reason why the partition was stopped.
    pub(crate) async fn passed(&self, from: Offset) -> Result<(), LogError> {
        let mut stand = self.stand.subscribe();
        // The sender lives as long as `self`.
        let _ = stand.wait_for(|stand| stand.tail > from || stand.alarm.is_some()).await;
        self.check()
    }

    /// Runs `queue` with the last append time of this partition, which it moves: nothing else is queued meanwhile.
    pub(crate) fn in_order<T>(&self, queue: impl FnOnce(&mut Micros) -> T) -> T {
        queue(&mut self.last_time.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn error(&self, alarm: Alarm) -> LogError {
        match alarm {
            Alarm::Truncated { was, end } => LogError::Truncated { partition: self.partition, was, end },
            Alarm::Replaced { expected, found } => LogError::Replaced { expected, found },
        }
    }
}
