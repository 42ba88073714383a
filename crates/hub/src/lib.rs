//! The hub: a lossy broadcast of what has just become durable, so that readers look at the right moment.
//!
//! Nothing's correctness depends on it: a receiver that was too slow is told [`Heard::Lagged`] and reloads, and everyone
//! looks at the checkpoint once a second anyway.

use std::sync::Arc;

use corral_domain::limits::HUB_MESSAGES_MAX;
use corral_domain::{Offset, Partition, StreamKey};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

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
    /// "Everything below `offset` of this partition is committed."
    Checkpointed { partition: Partition, offset: Offset },
}

impl From<Nudge> for Message {
    fn from(nudge: Nudge) -> Self {
        Self::Nudge(Arc::new(nudge))
    }
}

/// The hub of one process. A handle: cheap to clone.
#[derive(Clone, Debug)]
pub struct Hub(broadcast::Sender<Message>);

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
        Self(broadcast::Sender::new(messages_max.max(1)))
    }

    /// Never waits and never fails; without subscribers it goes nowhere.
    pub fn publish(&self, message: impl Into<Message>) {
        let _ = self.0.send(message.into());
    }

    /// Hears what is published from now on. Subscribe before reading, or a change between the two goes unseen.
    pub fn subscribe(&self) -> Subscriber {
        Subscriber(self.0.subscribe())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Message(Message),
    /// Messages were lost: reload whatever depends on them.
    Lagged,
}

#[derive(Debug)]
pub struct Subscriber(broadcast::Receiver<Message>);

impl Subscriber {
    /// The next message; `None` once the hub and all its handles are gone. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Heard> {
        match self.0.recv().await {
            Ok(message) => Some(Heard::Message(message)),
            Err(RecvError::Lagged(_)) => Some(Heard::Lagged),
            Err(RecvError::Closed) => None,
        }
    }

    /// What is there already, without waiting.
    pub fn try_next(&mut self) -> Option<Heard> {
        match self.0.try_recv() {
            Ok(message) => Some(Heard::Message(message)),
            Err(broadcast::error::TryRecvError::Lagged(_)) => Some(Heard::Lagged),
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
