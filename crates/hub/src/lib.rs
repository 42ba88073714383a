//! The hub: a lossy broadcast of what has just become durable, so that readers look at the right moment.
//!
//! Nothing's correctness depends on it: a receiver that missed something is told [`Heard::Lagged`] and reloads, and everyone
//! looks at the checkpoint once a second anyway.
//!
//! A hub is of one process; [`link`] joins those of several over whatever carries bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use corral_domain::limits::{HUB_LINK_MESSAGES_MAX, HUB_MESSAGES_MAX};
use corral_domain::{Offset, Partition, StreamKey};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};

mod codec;
pub mod link;

pub use link::{Link, SenderId};

/// "This stream's state moved": sent after its commit is readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nudge {
    pub stream: StreamKey,
    pub partition: Partition,
    pub applied_through: Offset,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Shared, because every session of the process hears every nudge.
    Nudge(Arc<Nudge>),
    /// "Everything below `offset` of this partition is committed", and was nudged before.
    Checkpointed { partition: Partition, offset: Offset },
}

impl From<Nudge> for Message {
    fn from(nudge: Nudge) -> Self {
        Self::Nudge(Arc::new(nudge))
    }
}

/// The hub of one process. A handle: cheap to clone.
#[derive(Clone, Debug)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    local: broadcast::Sender<Heard>,
    /// To other processes, if there are any.
    outward: Option<mpsc::Sender<Message>>,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    published: AtomicU64,
    lagged: AtomicU64,
    outward_dropped: AtomicU64,
    /// Drops that were not told to others yet.
    outward_lost: AtomicU64,
    batches_sent: AtomicU64,
    batches_failed: AtomicU64,
    batches_heard: AtomicU64,
    garbage: AtomicU64,
    gaps: AtomicU64,
}

/// What has gone through the hub, and what was lost on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Messages of this process.
    pub published: u64,
    /// Messages that slow subscribers of this process missed.
    pub lagged: u64,
    /// Messages that other processes were not sent, as their queue was full; how many wait now, and may.
    pub outward_dropped: u64,
    pub outward_waiting: u64,
    pub outward_waiting_max: u64,
    /// Batches to other processes, and those that the carrier did not take or deliver.
    pub batches_sent: u64,
    pub batches_failed: u64,
    /// Batches of other processes, those that nobody could read, and times that some were missing.
    pub batches_heard: u64,
    pub garbage: u64,
    pub gaps: u64,
}

impl Figures {
    /// (name, help, value), in the order in which they are shown.
    pub fn read(&self) -> Vec<(&'static str, &'static str, u64)> {
        vec![
            ("corral_hub_published_total", "messages of this process", self.published),
            ("corral_hub_lagged_total", "messages that slow subscribers missed", self.lagged),
            ("corral_hub_outward_dropped_total", "messages that did not fit the queue to others", self.outward_dropped),
            ("corral_hub_outward_messages", "messages that wait to be sent to others", self.outward_waiting),
            ("corral_hub_outward_messages_max", "how many may wait", self.outward_waiting_max),
            ("corral_hub_batches_sent_total", "batches that others can hear", self.batches_sent),
            ("corral_hub_batches_failed_total", "batches that were not delivered", self.batches_failed),
            ("corral_hub_batches_heard_total", "batches of others", self.batches_heard),
            ("corral_hub_garbage_total", "what could not be read among them", self.garbage),
            ("corral_hub_gaps_total", "times that some of them were missing", self.gaps),
        ]
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self::with_capacity(HUB_MESSAGES_MAX)
    }
}

impl Hub {
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps at most about `messages_max` (rounded up to a power of two) for the slowest subscriber.
    pub fn with_capacity(messages_max: usize) -> Self {
        Self::of(messages_max, None)
    }

    /// A hub that is one of several, and its end of what joins them.
    pub fn linked() -> (Self, Link) {
        let (outward, waiting) = mpsc::channel(HUB_LINK_MESSAGES_MAX);
        let hub = Self::of(HUB_MESSAGES_MAX, Some(outward));
        (hub.clone(), Link::new(&hub, waiting))
    }

    fn of(messages_max: usize, outward: Option<mpsc::Sender<Message>>) -> Self {
        let local = broadcast::Sender::new(messages_max.max(1));
        Self(Arc::new(Inner { local, outward, counters: Counters::default() }))
    }

    /// Never waits and never fails; without subscribers it goes nowhere. Subscribers of this process hear it at once, those
    /// of others soon, or that something was lost.
    pub fn publish(&self, message: impl Into<Message>) {
        let message = message.into();
        count(&self.0.counters.published);
        if let Some(outward) = &self.0.outward
            && outward.try_send(message.clone()).is_err()
        {
            count(&self.0.counters.outward_dropped);
            count(&self.0.counters.outward_lost);
        }
        let _ = self.0.local.send(Heard::Message(message));
    }

    /// Hears what is published from now on. Subscribe before reading, or a change between the two goes unseen.
    pub fn subscribe(&self) -> Subscriber {
        Subscriber { heard: self.0.local.subscribe(), hub: Arc::downgrade(&self.0) }
    }

    pub fn figures(&self) -> Figures {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.0.counters;
        let (max, left) = self.0.outward.as_ref().map_or((0, 0), |queue| (queue.max_capacity(), queue.capacity()));
        Figures {
            published: of(&counters.published),
            lagged: of(&counters.lagged),
            outward_dropped: of(&counters.outward_dropped),
            outward_waiting: (max - left) as u64,
            outward_waiting_max: max as u64,
            batches_sent: of(&counters.batches_sent),
            batches_failed: of(&counters.batches_failed),
            batches_heard: of(&counters.batches_heard),
            garbage: of(&counters.garbage),
            gaps: of(&counters.gaps),
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Message(Message),
    /// Messages were lost: reload whatever depends on them.
    Lagged,
}

#[derive(Debug)]
pub struct Subscriber {
    heard: broadcast::Receiver<Heard>,
    /// Weak: who listens does not keep the hub alive.
    hub: std::sync::Weak<Inner>,
}

impl Subscriber {
    /// The next message; `None` once the hub and all its handles are gone. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Heard> {
        match self.heard.recv().await {
            Ok(heard) => Some(heard),
            Err(RecvError::Lagged(missed)) => Some(self.lagged(missed)),
            Err(RecvError::Closed) => None,
        }
    }

    /// What is there already, without waiting.
    pub fn try_next(&mut self) -> Option<Heard> {
        match self.heard.try_recv() {
            Ok(heard) => Some(heard),
            Err(broadcast::error::TryRecvError::Lagged(missed)) => Some(self.lagged(missed)),
            Err(_) => None,
        }
    }

    fn lagged(&self, missed: u64) -> Heard {
        if let Some(hub) = self.hub.upgrade() {
            hub.counters.lagged.fetch_add(missed, Ordering::Relaxed);
        }
        Heard::Lagged
    }
}

#[cfg(test)]
mod tests;
