//! What joins the hubs of several processes: a carrier takes this end and moves bytes; losses become [`Heard::Lagged`].
//!
//! A sender numbers its batches, and leaves a number out where it had to drop messages. Who hears a number that does not
//! follow the last one of that sender, or hears a sender for the first time, has missed something. Were it silent about
//! that, a later "everything below N was told" would hide the loss from the look at the checkpoint.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use corral_domain::limits::{HUB_BATCH_MESSAGES_MAX, HUB_BATCH_MS, HUB_SENDERS_COUNT_MAX};
use corral_domain::{Offset, Partition, StreamKey};
use tokio::sync::mpsc;

use crate::{Counters, Heard, Hub, Inner, Message, Nudge, codec, count};

/// One life of one process as a sender: random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SenderId(pub [u8; 16]);

/// Bytes for the other processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Rises with each batch of a sender; a number that is left out says that messages were dropped.
    pub number: u64,
    pub bytes: Vec<u8>,
}

/// A hub's end of what joins it to others, as the carrier holds it.
pub struct Link {
    waiting: mpsc::Receiver<Message>,
    ear: Ear,
    next: u64,
}

/// Where a carrier says what it heard; cheap to clone.
#[derive(Clone)]
pub struct Ear {
    /// Weak: the carrier does not keep the hub alive.
    hub: std::sync::Weak<Inner>,
    senders: Arc<std::sync::Mutex<Senders>>,
}

/// The last number of each sender; the oldest is forgotten, which only costs a reload.
#[derive(Default)]
struct Senders {
    last: BTreeMap<SenderId, u64>,
    order: VecDeque<SenderId>,
}

impl Link {
    pub(crate) fn new(hub: &Hub, waiting: mpsc::Receiver<Message>) -> Self {
        let ear = Ear { hub: Arc::downgrade(&hub.0), senders: Arc::default() };
        Self { waiting, ear, next: 1 }
    }

    pub fn ear(&self) -> Ear {
        self.ear.clone()
    }

    /// What was published since the last batch, a few milliseconds of it, each stream and partition once; `None` once the
    /// hub and all its handles are gone. Dropping the future may lose messages.
    pub async fn next(&mut self) -> Option<Batch> {
        let mut gathered = Gathered::default();
        gathered.add(self.waiting.recv().await?);
        let until = tokio::time::sleep(Duration::from_millis(HUB_BATCH_MS));
        let mut until = std::pin::pin!(until);
        while gathered.len() < HUB_BATCH_MESSAGES_MAX {
            tokio::select! {
                biased;
                () = &mut until => break,
                message = self.waiting.recv() => match message {
                    Some(message) => gathered.add(message),
                    None => break,
                },
            }
        }
        self.ear.counters(|counters| {
            if counters.outward_lost.swap(0, Ordering::Relaxed) > 0 {
                self.next += 1;
            }
        });
        let number = self.next;
        self.next += 1;
        Some(Batch { number, bytes: codec::encode(&gathered.messages()) })
    }
}

impl Ear {
    /// Another process's batch. Once each: a number that came before is passed over.
    pub fn hear(&self, sender: SenderId, number: u64, bytes: &[u8]) {
        let Some(hub) = self.hub.upgrade() else { return };
        let last = self.senders.lock().unwrap_or_else(std::sync::PoisonError::into_inner).heard(sender, number);
        if last.is_some_and(|last| number <= last) {
            return;
        }
        count(&hub.counters.batches_heard);
        let messages = codec::decode(bytes);
        if last.is_none_or(|last| number != last + 1) || messages.is_none() {
            self.missed();
        }
        match messages {
            Some(messages) => messages.into_iter().for_each(|message| {
                let _ = hub.local.send(Heard::Message(message));
            }),
            None => count(&hub.counters.garbage),
        }
    }

    /// Bytes that no sender of ours wrote.
    pub fn garbage(&self) {
        self.counters(|counters| count(&counters.garbage));
    }

    /// Batches may have been missed.
    pub fn missed(&self) {
        if let Some(hub) = self.hub.upgrade() {
            count(&hub.counters.gaps);
            let _ = hub.local.send(Heard::Lagged);
        }
    }

    /// What became of a batch of this process.
    pub fn sent(&self, delivered: bool) {
        self.counters(|counters| count(if delivered { &counters.batches_sent } else { &counters.batches_failed }));
    }

    fn counters(&self, with: impl FnOnce(&Counters)) {
        if let Some(hub) = self.hub.upgrade() {
            with(&hub.counters);
        }
    }
}

impl Senders {
    /// The sender's last number before this one.
    fn heard(&mut self, sender: SenderId, number: u64) -> Option<u64> {
        let before = self.last.get(&sender).copied();
        if before.is_none() {
            self.order.push_back(sender);
            if self.order.len() > HUB_SENDERS_COUNT_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.last.remove(&oldest);
            }
        }
        self.last.insert(sender, before.unwrap_or_default().max(number));
        before
    }
}

/// Messages of a batch. Nudges go first: a checkpoint says that those below it were told.
#[derive(Default)]
struct Gathered {
    nudges: BTreeMap<StreamKey, Arc<Nudge>>,
    checkpoints: BTreeMap<Partition, Offset>,
}

impl Gathered {
    fn len(&self) -> usize {
        self.nudges.len() + self.checkpoints.len()
    }

    fn add(&mut self, message: Message) {
        match message {
            Message::Nudge(nudge) => {
                let kept = self.nudges.entry(nudge.stream.clone()).or_insert_with(|| nudge.clone());
                if nudge.applied_through > kept.applied_through {
                    *kept = nudge;
                }
            }
            Message::Checkpointed { partition, offset } => {
                let kept = self.checkpoints.entry(partition).or_default();
                *kept = (*kept).max(offset);
            }
        }
    }

    fn messages(self) -> Vec<Message> {
        let nudges = self.nudges.into_values().map(Message::Nudge);
        let checkpoints = self.checkpoints.into_iter();
        nudges.chain(checkpoints.map(|(partition, offset)| Message::Checkpointed { partition, offset })).collect()
    }
}

#[cfg(test)]
mod tests;
