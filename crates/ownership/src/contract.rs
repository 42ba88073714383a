//! The contract suite: run by every implementation through one macro.
//!
//! An implementation gives a [`Fixture`]: a group of processes that share the partitions of one log.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use corral_domain::Partition;
use corral_tasks::Tasks;

use crate::Ownership;

/// One process of a group.
pub struct Process {
    pub ownership: Arc<dyn Ownership>,
    /// What ends it in good order.
    pub tasks: Tasks,
}

/// A group that shares [`Fixture::partitions`]. Where ownership moves, processes may come at any time.
pub trait Fixture {
    fn partitions(&self) -> u16;

    /// How many processes the group has when it is whole.
    fn count(&self) -> u16;

    fn start(&self) -> Process;
}

/// Makes the tests: `ownership_contract!(lease, fixture())`.
#[macro_export]
macro_rules! ownership_contract {
    ($name:ident, $fixture:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $crate::ownership_contract!(@ $fixture,
                a_whole_group_owns_each_partition_once, rest_of_what_is_owned_means_nothing, what_moves_goes_to_the_others);
        }
    };
    (@ $fixture:expr, $($test:ident),*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            let fixture = $fixture;
            $crate::contract::$test(&fixture).await;
        })*
    };
}

/// Longer than any move, on a busy machine too.
const WAIT: Duration = Duration::from_secs(60);

fn group(fixture: &impl Fixture) -> Vec<Process> {
    (0..fixture.count()).map(|_| fixture.start()).collect()
}

/// Waits until the processes own all partitions, each once; their runners rest as soon as they are told.
async fn shared(fixture: &impl Fixture, processes: &[Process]) -> Vec<BTreeSet<Partition>> {
    let all: Vec<_> = (0..fixture.partitions()).map(Partition).collect();
    let looks = async {
        loop {
            let owned: Vec<_> = processes.iter().map(|process| process.ownership.owned().now()).collect();
            let mut flat: Vec<_> = owned.iter().flatten().copied().collect();
            flat.sort_unstable();
            let counts = || owned.iter().map(BTreeSet::len);
            if flat == all && counts().max() <= counts().min().map(|least| least + 1) {
                return owned;
            }
            for process in processes {
                let owned = process.ownership.owned();
                all.iter().filter(|p| !owned.has(**p)).for_each(|p| process.ownership.rested(*p));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(WAIT, looks).await.expect("even shares, in time")
}

pub async fn a_whole_group_owns_each_partition_once(fixture: &impl Fixture) {
    let processes = group(fixture);
    let owned = shared(fixture, &processes).await;
    for (process, owned) in processes.iter().zip(&owned) {
        // Whoever asks hears the same, and waiting for what is so takes no time.
        let mut handle = process.ownership.owned();
        assert_eq!(handle.now(), *owned);
        for partition in (0..fixture.partitions()).map(Partition) {
            assert_eq!(handle.has(partition), owned.contains(&partition));
            handle.until(partition, owned.contains(&partition)).await;
        }
        assert!(!handle.has(Partition(fixture.partitions())));
        let figures = process.ownership.figures();
        assert_eq!((figures.owned, figures.lapsed, figures.evicted), (owned.len() as u64, 0, 0));
        assert!(figures.gained >= figures.owned);
    }
    end(processes).await;
}

pub async fn rest_of_what_is_owned_means_nothing(fixture: &impl Fixture) {
    let processes = group(fixture);
    let before = shared(fixture, &processes).await;
    for _ in 0..20 {
        for process in &processes {
            (0..fixture.partitions() + 1).for_each(|partition| process.ownership.rested(Partition(partition)));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        let now: Vec<_> = processes.iter().map(|process| process.ownership.owned().now()).collect();
        assert_eq!(now, before);
    }
    end(processes).await;
}

pub async fn what_moves_goes_to_the_others(fixture: &impl Fixture) {
    let mut processes = group(fixture);
    let before = shared(fixture, &processes).await;
    let first = processes.remove(0);
    let moves = first.ownership.moves();
    end(vec![first]).await;
    if moves && !processes.is_empty() {
        let after = shared(fixture, &processes).await;
        // What the others had stays where it was.
        for (before, after) in before[1..].iter().zip(&after) {
            assert!(after.is_superset(before), "{before:?}, then {after:?}");
        }
        processes.push(fixture.start());
        shared(fixture, &processes).await;
    } else {
        let now: Vec<_> = processes.iter().map(|process| process.ownership.owned().now()).collect();
        assert_eq!(now, before[1..]);
    }
    end(processes).await;
}

/// In good order: their runners rest when they are told.
async fn end(processes: Vec<Process>) {
    for process in processes {
        let owned = process.ownership.owned().now();
        process.tasks.stop(0);
        let rests = async {
            if process.ownership.moves() {
                let mut handle = process.ownership.owned();
                for partition in owned {
                    handle.until(partition, false).await;
                    process.ownership.rested(partition);
                }
            }
        };
        let ended = async { tokio::join!(process.tasks.run(), rests) };
        tokio::time::timeout(WAIT, ended).await.expect("an end, in time");
    }
}
