//! What waits for a partition's writer: bounded in bytes, taken in groups.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use corral_domain::Offset;
use corral_domain::limits::{LOG_APPEND_WAIT_MS_MAX, LOG_QUEUE_BYTES_MAX};
use corral_event_log::LogError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::company::Patience;
use crate::group::Waiting;

/// What an append costs in the queue beside its records' bytes, so that empty records are bounded too.
const REQUEST_BYTES: usize = 256;
/// What a record costs in the queue beside its bytes.
const RECORD_BYTES: usize = 48;
/// One append on its way, or a trim.
pub(crate) enum Request {
    Append(Waiting),
    Trim { below: Offset, reply: oneshot::Sender<Result<Offset, LogError>> },
}

/// What a writer finds when it looks.
pub(crate) enum Taken {
    Request(Request),
    /// Nothing came for a while.
    Idle,
    Closed,
}

pub(crate) struct Queue {
    inner: Mutex<Inner>,
    filled: Condvar,
    room: Arc<Semaphore>,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Request>,
    closed: bool,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self { inner: Mutex::default(), filled: Condvar::new(), room: Arc::new(Semaphore::new(LOG_QUEUE_BYTES_MAX)) }
    }

    /// Waits for room for an append; the permit travels with the request.
    pub(crate) async fn room(&self, records: &[Bytes]) -> Result<OwnedSemaphorePermit, LogError> {
        let bytes: usize = records.iter().map(|record| record.len() + RECORD_BYTES).sum::<usize>() + REQUEST_BYTES;
        let permits = u32::try_from(bytes.min(LOG_QUEUE_BYTES_MAX)).unwrap_or(u32::MAX);
        if let Ok(permit) = Arc::clone(&self.room).try_acquire_many_owned(permits) {
            return Ok(permit);
        }
        let acquire = Arc::clone(&self.room).acquire_many_owned(permits);
        match tokio::time::timeout(Duration::from_millis(LOG_APPEND_WAIT_MS_MAX), acquire).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(closed()),
            Err(_) => {
                let reason = format!("the append queue holds log_queue_bytes_max {LOG_QUEUE_BYTES_MAX}");
                Err(LogError::Unavailable(reason))
            }
        }
    }

    /// What waits, by the measure of its bound.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        LOG_QUEUE_BYTES_MAX.saturating_sub(self.room.available_permits()) as u64
    }

    pub(crate) fn push(&self, request: Request) -> Result<(), LogError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(closed());
        }
        inner.waiting.push_back(request);
        self.filled.notify_one();
        Ok(())
    }

    /// The next request; waits for one, at most `idle` if there is something to do then.
    pub(crate) fn pop(&self, idle: Option<Duration>) -> Taken {
        let mut inner = self.lock();
        loop {
            if let Some(request) = inner.waiting.pop_front() {
                return Taken::Request(request);
            }
            if inner.closed {
                return Taken::Closed;
            }
            let Some(idle) = idle else {
                inner = self.filled.wait(inner).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (next, timeout) = self.filled.wait_timeout(inner, idle).unwrap_or_else(PoisonError::into_inner);
            inner = next;
            if timeout.timed_out() && inner.waiting.is_empty() && !inner.closed {
                return Taken::Idle;
            }
        }
    }

    /// How many requests wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Waits until `count` requests wait, or for as long as `patience` has with those that do.
    #[allow(
        clippy::disallowed_methods,
        reason = "a wait for callers is over when it is over, whatever the log's clock says"
    )]
    pub(crate) fn gather(&self, count: usize, patience: impl Fn(usize) -> Patience) {
        let began = Instant::now();
        let mut inner = self.lock();
        let (mut came, mut last) = (inner.waiting.len(), began);
        while came < count && !inner.closed {
            let Patience { all, next } = patience(came);
            let left = all.saturating_sub(began.elapsed()).min(next.saturating_sub(last.elapsed()));
            if left.is_zero() {
                return;
            }
            inner = self.filled.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
            if inner.waiting.len() > came {
                (came, last) = (inner.waiting.len(), Instant::now());
            }
        }
    }

    /// The next append if one waits already, before any trim, and `fits` says yes.
    pub(crate) fn pop_append(&self, fits: impl FnOnce(&Waiting) -> bool) -> Option<Waiting> {
        let mut inner = self.lock();
        match inner.waiting.pop_front()? {
            Request::Append(waiting) if fits(&waiting) => Some(waiting),
            other => {
                inner.waiting.push_front(other);
                None
            }
        }
    }

    /// Nothing is taken in any more; what waits is still done.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.room.close();
        self.filled.notify_all();
    }

    /// Nothing is taken in any more, and those who wait are told so.
    pub(crate) fn abandon(&self) {
        self.close();
        self.lock().waiting.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn closed() -> LogError {
    LogError::Unavailable("the event log is closed".to_owned())
}
