//! Ownership by lease: processes share the partitions out among themselves, through a table that changes by conditions.
//!
//! [`machine`] decides, without I/O and without a clock; this drives it: asks the table, tells runners. A process that dies
//! is given up after `stale`, so its partitions move within 10 s; one that ends well hands them over at once. A process
//! that cannot show that it lives stops its runners by itself after `own`, which is before anybody else may begin.
//!
//! A machine that sleeps as a whole (a paused virtual machine) is the one case where a process can believe too long: its
//! monotonic clock sleeps too. It finds out at its next look; what it did meanwhile is harmless, as always.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corral_domain::Partition;
use corral_domain::limits::{
    LEASE_ASK_MS_MAX, LEASE_BEAT_MS, LEASE_FRESH_MS_MAX, LEASE_LOOK_MS, LEASE_OWN_MS_MAX, LEASE_RETRY_MS,
    LEASE_STALE_MS_MIN,
};
use corral_tasks::{Clock, Kind, Shutdown, TaskError, Tasks};
use tokio::sync::{Notify, watch};

use crate::{Figures, Owned, Ownership};
use machine::{Answer, Ask, Machine, Next};
use table::{LeaseTable, MemberId};

mod machine;
mod share;
#[cfg(test)]
mod sim;
pub(crate) mod table;

/// What a lease is made from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Partitions of the log.
    pub partitions: u16,
    /// host:port of this process, for people who look at the table.
    pub address: String,
    pub timing: Timing,
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between two beats.
    pub beat: Duration,
    /// Between two looks at the others.
    pub look: Duration,
    /// A member believes so long after the beginning of a beat that was counted.
    pub own: Duration,
    /// Others give a member up when its beat has not changed for so long.
    pub stale: Duration,
    /// A member whose beat has not changed for so long is given no partition.
    pub fresh: Duration,
    pub retry: Duration,
    /// One request to the table.
    pub ask: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            beat: Duration::from_millis(LEASE_BEAT_MS),
            look: Duration::from_millis(LEASE_LOOK_MS),
            own: Duration::from_millis(LEASE_OWN_MS_MAX),
            stale: Duration::from_millis(LEASE_STALE_MS_MIN),
            fresh: Duration::from_millis(LEASE_FRESH_MS_MAX),
            retry: Duration::from_millis(LEASE_RETRY_MS),
            ask: Duration::from_millis(LEASE_ASK_MS_MAX),
        }
    }
}

/// A share of the partitions that moves with the processes that come and go.
#[derive(Debug)]
pub struct Lease {
    owned: watch::Sender<BTreeSet<Partition>>,
    /// Runners that have come to rest, and were not told to the machine yet.
    rested: Mutex<BTreeSet<Partition>>,
    news: Notify,
    figures: Mutex<Figures>,
}

impl Lease {
    /// Joins the others. Nothing is owned yet; what is comes by [`Ownership::owned`].
    pub fn start(table: Arc<dyn LeaseTable>, settings: Settings, (clock, tasks): (&Clock, &Tasks)) -> Arc<Self> {
        let lease = Arc::new(Self {
            owned: watch::Sender::default(),
            rested: Mutex::default(),
            news: Notify::new(),
            figures: Mutex::default(),
        });
        let ids = Box::new(|| MemberId(uuid::Uuid::new_v4()));
        let machine = Machine::new(settings.timing, settings.partitions, settings.address, ids);
        let told = tasks.shutdown(Kind::Projector);
        let driver =
            Driver { lease: lease.clone(), table, machine, clock: clock.clone(), ask_max: settings.timing.ask };
        tasks.spawn("lease", Kind::Projector, driver.run(told));
        lease
    }

    fn take_rested(&self) -> BTreeSet<Partition> {
        std::mem::take(&mut *self.rested.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn publish(&self, owned: BTreeSet<Partition>, figures: Figures) {
        *self.figures.lock().unwrap_or_else(PoisonError::into_inner) = figures;
        // What is run again rests no more.
        self.rested.lock().unwrap_or_else(PoisonError::into_inner).retain(|partition| !owned.contains(partition));
        let tell = |standing: &mut BTreeSet<Partition>| {
            let moved = *standing != owned;
            if moved {
                tracing::info!(before = %numbers(standing), now = %numbers(&owned), "partitions to project");
                *standing = owned;
            }
            moved
        };
        self.owned.send_if_modified(tell);
    }
}

fn numbers(partitions: &BTreeSet<Partition>) -> String {
    let numbers: Vec<_> = partitions.iter().map(ToString::to_string).collect();
    if numbers.is_empty() { "none".to_owned() } else { numbers.join(" ") }
}

impl Ownership for Lease {
    fn owned(&self) -> Owned {
        Owned(self.owned.subscribe())
    }

    fn rested(&self, partition: Partition) {
        if self.owned.borrow().contains(&partition) {
            return;
        }
        self.rested.lock().unwrap_or_else(PoisonError::into_inner).insert(partition);
        self.news.notify_one();
    }

    fn moves(&self) -> bool {
        true
    }

    fn figures(&self) -> Figures {
        *self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Driver {
    lease: Arc<Lease>,
    table: Arc<dyn LeaseTable>,
    machine: Machine,
    clock: Clock,
    ask_max: Duration,
}

impl Driver {
    async fn run(mut self, told: Shutdown) -> Result<(), TaskError> {
        loop {
            let now = self.clock.monotonic();
            for partition in self.lease.take_rested() {
                self.machine.rested(partition, now);
            }
            let is_leaving = told.is_cancelled();
            if is_leaving {
                self.machine.leave(now);
            }
            let next = self.machine.next(now);
            let owned = self.machine.tell(now);
            self.lease.publish(owned, self.machine.figures(now));
            match next {
                Next::Gone => return Ok(()),
                Next::Wait(until) => tokio::select! {
                    () = tokio::time::sleep(until.saturating_sub(now)) => {}
                    () = self.lease.news.notified() => {}
                    () = told.cancelled(), if !is_leaving => {}
                },
                Next::Ask(ask) => {
                    let answer = self.ask(&ask).await;
                    self.machine.answered(ask, answer, (now, self.clock.monotonic()));
                }
            }
        }
    }

    /// Asks the table, for so long. What is believed may end meanwhile: then runners are told, whatever the table does.
    async fn ask(&self, ask: &Ask) -> Answer {
        let answer = tokio::time::timeout(self.ask_max, answer(&*self.table, ask));
        let lapse = async {
            if let Some(until) = self.machine.believes_until() {
                tokio::time::sleep(until.saturating_sub(self.clock.monotonic())).await;
                let now = self.clock.monotonic();
                self.lease.publish(self.machine.owned(now), self.machine.figures(now));
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answer = answer => answer.unwrap_or(Answer::Failed),
            () = lapse => Answer::Failed,
        }
    }
}

async fn answer(table: &dyn LeaseTable, ask: &Ask) -> Answer {
    let answer = match ask {
        Ask::Join(member) => table.join(member).await.map(Answer::Done),
        Ask::Beat { id, from } => table.beat(*id, *from).await.map(Answer::Done),
        Ask::Partitions => table.partitions().await.map(Answer::Partitions),
        Ask::Members => table.members().await.map(Answer::Members),
        Ask::Remove { id, beat } => table.remove(*id, *beat).await.map(Answer::Done),
        Ask::Change { partition, term, owner } => table.change(*partition, *term, *owner).await.map(Answer::Done),
    };
    answer.unwrap_or_else(|error| {
        tracing::debug!(%error, "a lease asks again");
        Answer::Failed
    })
}

#[cfg(test)]
mod tests;
