//! Orders that pages go through: a page behind the first follows the order that the first one had, so that nothing is
//! skipped or repeated however keys move meanwhile. An order that was forgotten goes on by the last run's key.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corral_domain::{Micros, RunId};

use crate::cache::Cache;
use crate::token::Question;

/// Run ids of the orders that pages go through (about 50 bytes each).
const CURSOR_RUNS_COUNT_MAX: usize = 1_000_000;

/// An order, as its first page had it.
pub(super) struct Cursor {
    pub(super) question: Question,
    pub(super) ids: Vec<RunId>,
}

pub(super) struct Cursors(Mutex<Cache<u64, Arc<Cursor>>>);

impl Cursors {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Cache::new(CURSOR_RUNS_COUNT_MAX)))
    }

    fn lock(&self) -> MutexGuard<'_, Cache<u64, Arc<Cursor>>> {
        // Nothing panics while it holds the lock; were it to, the cache would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The order and the place in it, if it is still known and is what the token says.
    pub(super) fn at(&self, (id, at): (u64, u64), question: Question, last: &str) -> Option<(Arc<Cursor>, usize)> {
        let cursor = self.lock().get(&id)?.clone();
        let at = usize::try_from(at).ok()?;
        let before = cursor.ids.get(at.checked_sub(1)?)?;
        (cursor.question == question && before.as_str() == last).then_some((cursor, at))
    }

    /// Keeps an order for the next page and names it.
    pub(super) fn keep(&self, id: u64, cursor: &Arc<Cursor>, now: Micros) -> u64 {
        let mut cursors = self.lock();
        if cursors.get(&id).is_some_and(|kept| Arc::ptr_eq(kept, cursor)) {
            return id;
        }
        // Not met again after a restart; the question and the last run are compared all the same.
        let mut id = now.0 as u64;
        while cursors.get(&id).is_some() {
            id = id.wrapping_add(1);
        }
        cursors.put(id, cursor.clone(), cursor.ids.len() + 1);
        id
    }
}
