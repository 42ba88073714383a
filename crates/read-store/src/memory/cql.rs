//! CQL mode: a commit as a schedule of single mutations that a test (or a plan) interleaves, loses and delays.

use std::future::poll_fn;
use std::task::Poll;

use corral_domain::Partition;

use super::{Inner, MemoryStore};
use crate::{Checkpoint, Mutation, StoreError, WriteBatch};

/// The state of the mode.
pub(super) struct Cql {
    dice: Dice,
    plan: CrashPlan,
    /// Mutations until the planned crash.
    until_crash: Option<u64>,
    /// Mutations that arrive later.
    ghosts: Vec<Step>,
}

/// What a crash does to each mutation of the phase it strikes: `lost` and `late` are shares of 1, the rest arrives.
/// Later phases never happen.
#[derive(Clone, Copy, Debug)]
pub struct CrashPlan {
    pub lost: f64,
    pub late: f64,
}

impl Default for CrashPlan {
    /// The shares of the model that the rules were tried in.
    fn default() -> Self {
        Self { lost: 0.45, late: 0.25 }
    }
}

/// The phases of a commit, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Derived,
    State,
    Checkpoint,
}

/// What applies whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Rows(Mutation),
    Checkpoint(Partition, Checkpoint),
}

impl MemoryStore {
    /// The store in CQL mode; everything it shuffles and loses follows from `seed`.
    pub fn cql(seed: u64) -> Self {
        let store = Self::new();
        store.lock().cql =
            Some(Cql { dice: Dice(seed), plan: CrashPlan::default(), until_crash: None, ghosts: Vec::new() });
        store
    }

    /// Plans one crash: after `mutations` more have been applied by `commit`, the commit under way fails as the plan says
    /// (0: at its first).
    pub fn crash_after(&self, mutations: u64) {
        self.with_cql(|cql| cql.until_crash = Some(mutations));
    }

    /// How much of the struck phase coming crashes lose and delay.
    pub fn plan(&self, plan: CrashPlan) {
        self.with_cql(|cql| cql.plan = plan);
    }

    /// Mutations of crashed commits that have not arrived yet.
    pub fn ghosts(&self) -> usize {
        self.with_cql(|cql| cql.ghosts.len()).unwrap_or_default()
    }

    /// One ghost arrives, whichever the seed says; false if there is none.
    pub fn apply_ghost(&self) -> bool {
        let ghost = self.with_cql(|cql| {
            let count = cql.ghosts.len();
            (count > 0).then(|| cql.dice.below(count)).map(|at| cql.ghosts.swap_remove(at))
        });
        let Some(Some(ghost)) = ghost else { return false };
        self.lock().step(&ghost);
        true
    }

    /// A commit to be driven by hand. Nothing is applied yet. Works on an atomic store too, in the order given.
    pub fn steps(&self, partition: Partition, batch: WriteBatch, checkpoint: Checkpoint) -> CommitSteps {
        let rows = |mutations: Vec<Mutation>| mutations.into_iter().map(Step::Rows).collect::<Vec<_>>();
        let mut phases = vec![
            (Phase::Derived, rows(batch.derived)),
            (Phase::State, rows(batch.state)),
            (Phase::Checkpoint, vec![Step::Checkpoint(partition, checkpoint)]),
        ];
        if planted(CHECKPOINT_FIRST) {
            phases.rotate_right(1);
        }
        for (_, steps) in &mut phases {
            self.with_cql(|cql| cql.dice.shuffle(steps));
            // Popped from the end.
            steps.reverse();
        }
        phases.reverse();
        CommitSteps { store: self.clone(), phases }
    }

    fn with_cql<T>(&self, work: impl FnOnce(&mut Cql) -> T) -> Option<T> {
        self.lock().cql.as_mut().map(work)
    }

    /// Whether the planned crash strikes now.
    fn strikes(&self) -> bool {
        self.with_cql(|cql| match cql.until_crash {
            Some(0) => {
                cql.until_crash = None;
                true
            }
            Some(left) => {
                cql.until_crash = Some(left - 1);
                false
            }
            None => false,
        })
        .unwrap_or_default()
    }
}

impl Inner {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Rows(mutation) => self.apply(mutation),
            Step::Checkpoint(partition, checkpoint) => self.put_checkpoint(*partition, checkpoint),
        }
    }
}

/// A commit under way. Keep it to have a zombie; drop it and everything that is left is lost.
pub struct CommitSteps {
    store: MemoryStore,
    /// Both the phases and their steps are in reverse, to be popped.
    phases: Vec<(Phase, Vec<Step>)>,
}

impl CommitSteps {
    /// The phase of the next mutation; `None` when all are applied.
    pub fn phase(&self) -> Option<Phase> {
        self.phases.iter().rev().find(|(_, steps)| !steps.is_empty()).map(|(phase, _)| *phase)
    }

    /// Mutations that are left, all phases.
    pub fn remaining(&self) -> usize {
        self.phases.iter().map(|(_, steps)| steps.len()).sum()
    }

    /// Applies one mutation; false when none is left.
    pub fn apply_next(&mut self) -> bool {
        while let Some((_, steps)) = self.phases.last_mut() {
            if let Some(step) = steps.pop() {
                self.store.lock().step(&step);
                return true;
            }
            self.phases.pop();
        }
        false
    }

    /// The process dies here: of the current phase each mutation arrives, is lost or becomes a ghost by the store's plan;
    /// of later phases nothing was sent.
    pub fn crash(self) {
        let store = self.store.clone();
        for step in self.into_phase() {
            let fate = store.with_cql(|cql| (cql.dice.share(), cql.plan));
            match fate {
                Some((roll, plan)) if roll < plan.lost => {}
                Some((roll, plan)) if roll < plan.lost + plan.late => {
                    store.with_cql(|cql| cql.ghosts.push(step));
                }
                Some(_) => store.lock().step(&step),
                // An atomic store's crash loses the rest.
                None => {}
            }
        }
    }

    /// What is left of the current phase, for a test that decides every mutation's fate itself.
    pub fn into_phase(mut self) -> Vec<Step> {
        while let Some((_, mut steps)) = self.phases.pop() {
            if !steps.is_empty() {
                steps.reverse();
                return steps;
            }
        }
        Vec::new()
    }

    /// Applies what is left, letting readers in between, until the end or the planned crash.
    pub(super) async fn run(mut self) -> Result<(), StoreError> {
        while self.phase().is_some() {
            if self.store.strikes() {
                self.crash();
                return Err(StoreError::Unavailable("crashed as planned".to_owned()));
            }
            self.apply_next();
            let_others_run().await;
        }
        Ok(())
    }
}

impl MemoryStore {
    /// A mutation arrives by itself: a step that [`CommitSteps::into_phase`] gave, whenever the test likes.
    pub fn arrive(&self, step: &Step) {
        self.lock().step(step);
    }
}

async fn let_others_run() {
    let mut waited = false;
    poll_fn(|context| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A bug that the suites must find: the checkpoint is written before the rows.
const CHECKPOINT_FIRST: u32 = 8;

fn planted(bug: u32) -> bool {
    cfg!(feature = "planted") && std::env::var("CORRAL_PLANTED_BUG").is_ok_and(|chosen| chosen == bug.to_string())
}

/// splitmix64: enough to shuffle, and the same everywhere for a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// In `[0, count)`; `count` must not be 0.
    fn below(&mut self, count: usize) -> usize {
        (self.roll() % count as u64) as usize
    }
    /// In `[0, 1)`.
    fn share(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}
