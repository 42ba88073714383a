//! A rebuild reads nothing but the log, into a store of its own.
//!
//! Its commits have random sizes: what was committed together must not matter, so that a rebuild and the live store are
//! equal ([`crate::verify`]) whatever happened to the one that lived.

use std::sync::Arc;

use corral_domain::{BuildId, Offset, Partition, Position};
use corral_event_log::EventLog;
use corral_hub::Hub;
use corral_read_store::ReadStore;
use corral_tasks::Clock;

use crate::dice::Dice;
use crate::limits::Limits;
use crate::policy::Halt;
use crate::runner::{Handles, Runner};

/// What a rebuild goes by.
#[derive(Clone)]
pub struct Plan {
    pub build: BuildId,
    pub limits: Limits,
    pub clock: Clock,
    /// What the sizes of its commits follow from.
    pub seed: u64,
    /// By partition: read below this offset; a partition that is not named is read to its tail. To compare with a store,
    /// give the offsets of its checkpoints.
    pub until: Position,
}

/// How far a partition is: (partition, the next offset to read, where it ends).
pub type Progress<'a> = &'a (dyn Fn(Partition, Offset, Offset) + Send + Sync);

/// Reads every partition of the log into `into`, which must be empty; returns where each ended.
pub async fn rebuild(
    log: Arc<dyn EventLog>,
    into: Arc<dyn ReadStore>,
    plan: Plan,
    progress: Progress<'_>,
) -> Result<Position, Halt> {
    let mut position = Position::default();
    for partition in (0..log.identity().partitions).map(Partition) {
        let handles = Handles {
            log: log.clone(),
            store: into.clone(),
            hub: Hub::with_capacity(1),
            clock: plan.clock.clone(),
            build: plan.build,
            limits: plan.limits.clone(),
        };
        let mut runner = Runner::new(handles, partition).with_dice(Dice(plan.seed ^ u64::from(partition.0)));
        runner.start().await?;
        let end = match plan.until.0.get(&partition) {
            Some(until) => *until,
            None => runner.extent().await?.tail,
        };
        while runner.next() < end {
            runner.step_below(end).await?;
            progress(partition, runner.next(), end);
        }
        position.advance(partition, runner.next());
    }
    Ok(position)
}
