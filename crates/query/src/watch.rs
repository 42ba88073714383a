//! Who waits for which stream: one subscriber of the hub for all subscriptions of the process, and the once-a-second
//! look at the checkpoints that makes a lost nudge harmless (the only polling there is).
//!
//! A checkpoint above what the hub has told is no loss yet: the nudge may be on its way, from another process too. One that
//! is not told a moment later is.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use corral_domain::{Offset, OrganizationId, Partition, StreamKey};
use corral_hub::{Heard, Hub, Message};
use corral_read_store::ReadStore;
use corral_tasks::Shutdown;
use tokio::sync::Notify;

/// A lost nudge goes unseen for no longer than these together: between two looks, and until what a look found must have
/// been told.
pub(crate) const LOOK_MS: u64 = 900;
pub(crate) const GRACE_MS: u64 = 100;
/// Streams that an interest remembers one by one; beyond that it is told to look at everything.
const CHANGED_STREAMS_MAX: usize = 1_024;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Changed {
    #[default]
    Nothing,
    Streams(HashSet<StreamKey>),
    /// Nudges may have been lost.
    Everything,
}

impl Changed {
    pub(crate) fn merge(&mut self, other: Self) {
        match (&mut *self, other) {
            (_, Self::Nothing) | (Self::Everything, _) => {}
            (Self::Streams(streams), Self::Streams(more)) => streams.extend(more),
            (_, other) => *self = other,
        }
    }
}

/// One subscription's ear. Dropping it ends the interest.
pub(crate) struct Interest {
    ear: Arc<Ear>,
    watch: Arc<Watch>,
    id: u64,
}

#[derive(Default)]
struct Ear {
    changed: Mutex<Changed>,
    notify: Notify,
}

#[derive(Default)]
pub(crate) struct Watch(Mutex<Registry>);

#[derive(Default)]
struct Registry {
    next: u64,
    ears: HashMap<u64, (Arc<Ear>, Wanted)>,
    streams: HashMap<StreamKey, HashSet<u64>>,
    organizations: HashMap<OrganizationId, HashSet<u64>>,
    /// Per partition, up to where the hub has told everything.
    told: BTreeMap<Partition, Offset>,
}

pub(crate) enum Wanted {
    Streams(Vec<StreamKey>),
    /// Every stream of the organization.
    Organization(OrganizationId),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these locks; were it to, the tables would still be whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// From now on the interest hears; register before reading, or a change between the two goes unseen.
    pub(crate) fn register(self: &Arc<Self>, wanted: Wanted) -> Interest {
        let mut registry = lock(&self.0);
        let id = registry.next;
        registry.next += 1;
        match &wanted {
            Wanted::Streams(streams) => {
                for stream in streams {
                    registry.streams.entry(stream.clone()).or_default().insert(id);
                }
            }
            Wanted::Organization(organization) => {
                registry.organizations.entry(*organization).or_default().insert(id);
            }
        }
        let ear = Arc::new(Ear::default());
        registry.ears.insert(id, (ear.clone(), wanted));
        Interest { ear, watch: self.clone(), id }
    }

    fn is_idle(&self) -> bool {
        lock(&self.0).ears.is_empty()
    }

    fn hear(&self, message: &Message) {
        let mut registry = lock(&self.0);
        match message {
            Message::Nudge(nudge) => {
                let by_stream = registry.streams.get(&nudge.stream).into_iter().flatten();
                let by_organization = registry.organizations.get(&nudge.stream.organization).into_iter().flatten();
                for id in by_stream.chain(by_organization) {
                    if let Some((ear, _)) = registry.ears.get(id) {
                        ear.add(&nudge.stream);
                    }
                }
            }
            Message::Checkpointed { partition, offset } => {
                let told = registry.told.entry(*partition).or_default();
                *told = (*told).max(*offset);
            }
        }
    }

    fn everything(&self) {
        for (ear, _) in lock(&self.0).ears.values() {
            *lock(&ear.changed) = Changed::Everything;
            ear.notify.notify_one();
        }
    }

    /// True if the checkpoint lies above what the hub has told.
    fn is_ahead(&self, partition: Partition, offset: Offset) -> bool {
        offset > lock(&self.0).told.get(&partition).copied().unwrap_or_default()
    }

    /// True if the hub has not told it meanwhile: messages were lost.
    fn was_lost(&self, partition: Partition, offset: Offset) -> bool {
        let mut registry = lock(&self.0);
        let told = registry.told.entry(partition).or_default();
        let lost = offset > *told;
        *told = (*told).max(offset);
        lost
    }

    /// Drives the registry until the process ends.
    pub(crate) async fn run(&self, hub: Hub, store: Arc<dyn ReadStore>, partitions: u16, shutdown: Shutdown) {
        let mut subscriber = hub.subscribe();
        // What a look found and the hub had not told, and until when it may.
        let mut ahead: BTreeMap<Partition, Offset> = BTreeMap::new();
        let mut grace = Box::pin(tokio::time::sleep(Duration::ZERO));
        let mut look = tokio::time::interval(Duration::from_millis(LOOK_MS));
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // What has been told is heard before it is taken for lost.
                biased;
                () = shutdown.cancelled() => return,
                heard = subscriber.next() => match heard {
                    Some(Heard::Message(message)) => self.hear(&message),
                    Some(Heard::Lagged) => self.everything(),
                    None => return,
                },
                () = &mut grace, if !ahead.is_empty() => {
                    let lost = std::mem::take(&mut ahead).into_iter().map(|(partition, at)| self.was_lost(partition, at));
                    if lost.fold(false, |any, lost| any | lost) {
                        self.everything();
                    }
                }
                _ = look.tick() => {
                    if self.is_idle() {
                        continue;
                    }
                    for partition in (0..partitions).map(Partition) {
                        // A store that cannot answer now is looked at again soon.
                        let Ok(Some(checkpoint)) = store.checkpoint(partition).await else { continue };
                        if self.is_ahead(partition, checkpoint.offset) {
                            ahead.insert(partition, checkpoint.offset);
                        }
                    }
                    grace = Box::pin(tokio::time::sleep(Duration::from_millis(GRACE_MS)));
                }
            }
        }
    }
}

impl Ear {
    fn add(&self, stream: &StreamKey) {
        let mut changed = lock(&self.changed);
        match &mut *changed {
            Changed::Nothing => *changed = Changed::Streams(HashSet::from([stream.clone()])),
            Changed::Streams(streams) if streams.len() < CHANGED_STREAMS_MAX => {
                streams.insert(stream.clone());
            }
            Changed::Streams(_) => *changed = Changed::Everything,
            Changed::Everything => {}
        }
        self.notify.notify_one();
    }
}

impl Interest {
    /// What changed since the last call, without waiting.
    pub(crate) fn take(&self) -> Changed {
        std::mem::take(&mut lock(&self.ear.changed))
    }

    /// Returns once something may have changed. Dropping the future loses nothing.
    pub(crate) async fn changed(&self) {
        loop {
            let heard = self.ear.notify.notified();
            if *lock(&self.ear.changed) != Changed::Nothing {
                return;
            }
            heard.await;
        }
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        let mut registry = lock(&self.watch.0);
        match registry.ears.remove(&self.id) {
            Some((_, Wanted::Streams(streams))) => {
                for stream in streams {
                    if let Some(ids) = registry.streams.get_mut(&stream) {
                        ids.remove(&self.id);
                        if ids.is_empty() {
                            registry.streams.remove(&stream);
                        }
                    }
                }
            }
            Some((_, Wanted::Organization(organization))) => {
                if let Some(ids) = registry.organizations.get_mut(&organization) {
                    ids.remove(&self.id);
                    if ids.is_empty() {
                        registry.organizations.remove(&organization);
                    }
                }
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;
