//! Random schedules, and the driver on a table in memory.

use std::collections::{BTreeMap, HashSet};

use super::share;
use super::sim::Sim;
use super::table::MemoryTable;
use super::*;

const SCHEDULES: u64 = 600;

#[test]
fn no_partition_has_two_owners_and_each_has_one_soon_again() {
    let mut states = HashSet::new();
    let (mut events, mut moves, mut longest_us) = (0, 0, 0);
    for seed in 0..SCHEDULES {
        let mut sim = Sim::new(seed, Timing::default());
        sim.run().unwrap_or_else(|error| panic!("schedule {seed}: {error}"));
        events += sim.seen.events;
        moves += sim.seen.moves;
        longest_us = longest_us.max(sim.seen.longest_unowned_us);
        states.extend(sim.seen.states);
    }
    eprintln!(
        "{SCHEDULES} schedules, {events} events, {} distinct states, {moves} moves, a partition without an owner for {} ms at most",
        states.len(),
        longest_us / 1_000
    );
    assert!(states.len() > 100_000 && moves > 5_000, "{} states, {moves} moves", states.len());
}

/// The first schedule that shows what is wrong with a timing.
fn found(timing: Timing) -> Option<String> {
    (0..SCHEDULES).find_map(|seed| Sim::new(seed, timing).run().err())
}

#[test]
fn a_belief_that_outlasts_the_patience_of_others_is_found() {
    let own = Duration::from_millis(LEASE_STALE_MS_MIN + 3_000);
    let told = found(Timing { own, ..Timing::default() }).expect("two owners");
    assert!(told.contains("has the owners"), "{told}");
}

#[test]
fn a_patience_that_is_too_long_is_found() {
    let told = found(Timing { stale: Duration::from_secs(12), ..Timing::default() }).expect("a late move");
    assert!(told.contains("had no owner"), "{told}");
}

#[test]
fn the_bounds_leave_room_between_them() {
    let timing = Timing::default();
    // A beat may fail twice before a member stops by itself; others wait for longer than it believes by more than clocks
    // can differ; and what is left of 10 s is enough for two looks and a request.
    assert!(timing.own > timing.beat + 2 * timing.ask);
    let leave = Duration::from_millis(corral_domain::limits::RUNNER_LEAVE_MS_MAX);
    assert!(timing.stale >= timing.own + timing.own / 4 && timing.stale > timing.own + leave);
    assert!(timing.stale + 2 * timing.look < Duration::from_secs(10));
    assert!(timing.fresh > timing.beat + timing.look && timing.fresh < timing.stale);
}

#[test]
fn shares_are_even_and_nothing_moves_for_nothing() {
    let id = |number: u64| MemberId(uuid::Uuid::from_u64_pair(0, number));
    let targets = |counts: &[usize], free: usize| {
        let has: BTreeMap<_, _> = counts.iter().enumerate().map(|(at, count)| (id(at as u64), *count)).collect();
        let targets: BTreeMap<_, _> = share::targets(&has, free).into_iter().collect();
        (0..counts.len()).map(|at| targets[&id(at as u64)]).collect::<Vec<_>>()
    };
    assert_eq!(targets(&[4], 0), [4]);
    assert_eq!(targets(&[4, 0], 0), [2, 2]);
    assert_eq!(targets(&[2, 2, 0], 0), [2, 1, 1]);
    assert_eq!(targets(&[1, 2, 1], 0), [1, 2, 1]);
    assert_eq!(targets(&[0, 0, 0], 7), [3, 2, 2]);
    assert_eq!(targets(&[1, 0, 0], 0), [1, 0, 0]);
    assert_eq!(targets(&[], 3), [0_usize; 0]);
}

/// A lease's bounds for a test in real time; a busy machine may be late by some of it.
pub(super) fn quick() -> Timing {
    Timing {
        beat: Duration::from_millis(50),
        look: Duration::from_millis(20),
        own: Duration::from_millis(1_200),
        stale: Duration::from_millis(1_600),
        fresh: Duration::from_millis(800),
        retry: Duration::from_millis(20),
        ask: Duration::from_millis(300),
    }
}

fn settings(partitions: u16) -> Settings {
    Settings { partitions, address: "127.0.0.1:1".to_owned(), timing: quick() }
}

#[tokio::test]
async fn a_process_that_cannot_ask_stops_by_itself() {
    /// Answers until it is told not to.
    #[derive(Default)]
    struct Deaf(MemoryTable, std::sync::atomic::AtomicBool);

    impl Deaf {
        async fn hears(&self) {
            if self.1.load(std::sync::atomic::Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
        }
    }

    #[async_trait::async_trait]
    impl LeaseTable for Deaf {
        async fn partitions(&self) -> Result<BTreeMap<Partition, table::Holding>, table::TableError> {
            self.hears().await;
            self.0.partitions().await
        }
        async fn members(&self) -> Result<Vec<table::Member>, table::TableError> {
            self.hears().await;
            self.0.members().await
        }
        async fn join(&self, member: &table::Member) -> Result<bool, table::TableError> {
            self.hears().await;
            self.0.join(member).await
        }
        async fn beat(&self, id: MemberId, from: u64) -> Result<bool, table::TableError> {
            self.hears().await;
            self.0.beat(id, from).await
        }
        async fn remove(&self, id: MemberId, beat: Option<u64>) -> Result<bool, table::TableError> {
            self.hears().await;
            self.0.remove(id, beat).await
        }
        async fn change(&self, at: Partition, term: u64, to: Option<MemberId>) -> Result<bool, table::TableError> {
            self.hears().await;
            self.0.change(at, term, to).await
        }
    }

    let (table, tasks) = (Arc::new(Deaf::default()), Tasks::new());
    let lease = Lease::start(table.clone(), settings(2), (&Clock::system(), &tasks));
    let mut owned = lease.owned();
    owned.until(Partition(1), true).await;
    table.1.store(true, std::sync::atomic::Ordering::SeqCst);
    owned.until(Partition(1), false).await;
    assert_eq!((owned.now().len(), lease.figures().lapsed), (0, 1));
    // Nobody took them meanwhile.
    table.1.store(false, std::sync::atomic::Ordering::SeqCst);
    owned.until(Partition(1), true).await;
    assert_eq!(lease.figures().evicted, 0);
}

#[tokio::test]
async fn what_is_handed_over_at_the_end_is_taken_at_once() {
    let (table, tasks): (Arc<MemoryTable>, [Tasks; 2]) = Default::default();
    let leases = tasks.each_ref().map(|tasks| Lease::start(table.clone(), settings(4), (&Clock::system(), tasks)));
    let mut owned = leases.each_ref().map(|lease| lease.owned());
    let shared = |owned: &[Owned; 2]| owned.each_ref().map(|owned| owned.now().len()) == [2, 2];
    while !shared(&owned) {
        // The first to come had all, and its runners rest as soon as they are told.
        tokio::time::sleep(Duration::from_millis(5)).await;
        leases.iter().for_each(|lease| (0..4).for_each(|partition| lease.rested(Partition(partition))));
    }
    let last = *owned[0].now().last().expect("two partitions");
    let started = Clock::system();
    tasks[0].stop(0);
    let ends = tasks[0].run();
    let hands_over = async {
        owned[0].until(last, false).await;
        assert_eq!(owned[0].now().len(), 0);
        (0..4).for_each(|partition| leases[0].rested(Partition(partition)));
        owned[1].until(last, true).await;
    };
    tokio::join!(ends, hands_over);
    assert!(started.monotonic() < quick().own, "{:?}", started.monotonic());
    assert_eq!((owned[1].now().len(), leases[1].figures().evictions), (4, 0));
}
