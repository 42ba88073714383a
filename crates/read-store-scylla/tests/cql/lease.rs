//! Leases on a real cluster: what each statement promises, the contract of ownership, and a process that dies.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use corral_domain::Partition;
use corral_ownership::contract::{Fixture, Process};
use corral_ownership::{Holding, Lease, LeaseTable, Member, MemberId, Ownership, Settings, Timing, ownership_contract};
use corral_read_store_scylla::{Cluster, ScyllaLeases, schema};
use corral_tasks::{Clock, Tasks};
use uuid::Uuid;

use super::engine::{Engine, ONE_COPY};
use super::{engine, shared, wait};

const PARTITIONS: u16 = 4;

/// Leases of a scope of their own.
async fn fresh() -> (Cluster, String) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    (shared().await, format!("scope-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

fn table((cluster, scope): &(Cluster, String)) -> ScyllaLeases {
    ScyllaLeases::new(cluster.clone(), scope)
}

fn start(of: &(Cluster, String), timing: Timing) -> (Arc<Lease>, Tasks) {
    let (table, tasks) = (Arc::new(table(of)), Tasks::new());
    let settings = Settings { partitions: PARTITIONS, address: "127.0.0.1:1".to_owned(), timing };
    (Lease::start(table, settings, (&Clock::system(), &tasks)), tasks)
}

struct Group((Cluster, String));

impl Group {
    fn new() -> Self {
        Self(wait(fresh()))
    }
}

impl Fixture for Group {
    fn partitions(&self) -> u16 {
        PARTITIONS
    }
    fn count(&self) -> u16 {
        3
    }
    fn start(&self) -> Process {
        // Quick to see, and as patient as ever with a busy machine.
        let quick = Duration::from_millis(100);
        let (ownership, tasks) = start(&self.0, Timing { look: quick, retry: quick, ..Timing::default() });
        Process { ownership, tasks }
    }
}

ownership_contract!(contract, Group::new());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_change_is_made_on_its_condition() {
    let table = table(&fresh().await);
    let id = |number: u64| MemberId(Uuid::from_u64_pair(7, number));
    let member = |number: u64, beat: u64| Member { id: id(number), address: format!("h:{number}"), beat };
    assert!(table.partitions().await.expect("rows").is_empty() && table.members().await.expect("rows").is_empty());

    assert!(table.join(&member(1, 0)).await.expect("an answer"));
    assert!(!table.join(&member(1, 5)).await.expect("an answer"), "an id is taken once");
    assert!(table.beat(id(1), 0).await.expect("an answer"));
    assert!(!table.beat(id(1), 0).await.expect("an answer"), "the beat is another");
    assert!(!table.beat(id(2), 0).await.expect("an answer"), "who is no member does not become one");
    assert_eq!(table.members().await.expect("rows"), [member(1, 1)]);

    let at = Partition(3);
    assert!(table.change(at, 0, Some(id(1))).await.expect("an answer"));
    assert!(!table.change(at, 0, Some(id(2))).await.expect("an answer"), "there is a row by now");
    assert!(!table.change(at, 2, Some(id(2))).await.expect("an answer"), "the term is another");
    assert!(!table.change(Partition(2), 1, None).await.expect("an answer"), "there is no row");
    assert_eq!(table.partitions().await.expect("rows"), [(at, Holding { owner: Some(id(1)), term: 1 })].into());
    assert!(table.change(at, 1, None).await.expect("an answer"));
    assert_eq!(table.partitions().await.expect("rows"), [(at, Holding { owner: None, term: 2 })].into());

    assert!(!table.remove(id(1), Some(0)).await.expect("an answer"), "it has counted since");
    assert!(table.remove(id(1), Some(1)).await.expect("an answer"));
    assert!(!table.remove(id(1), None).await.expect("an answer"), "it is gone");
    assert!(!table.beat(id(1), 1).await.expect("an answer"), "who is gone cannot come back by a beat");
    assert!(table.join(&member(2, 0)).await.expect("an answer") && table.remove(id(2), None).await.expect("an answer"));
    assert!(table.members().await.expect("rows").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_process_had_is_taken_within_ten_seconds() {
    let of = fresh().await;
    // Its own runtime: what ends with it says nothing to anybody.
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let (config, scope) = (engine().config("corral"), of.1.clone());
    let dies = doomed.spawn(async move {
        let of = (Cluster::connect(&config).await.expect("a connection"), scope);
        let (lease, tasks) = start(&of, Timing::default());
        lease.owned().until(Partition(PARTITIONS - 1), true).await;
        (lease, tasks)
    });
    let (dead, _tasks) = dies.await.expect("a lease");
    assert_eq!(dead.owned().now().len(), usize::from(PARTITIONS));
    doomed.shutdown_background();
    let clock = Clock::system();
    let (lives, tasks) = start(&of, Timing::default());
    for partition in (0..PARTITIONS).map(Partition) {
        lives.owned().until(partition, true).await;
    }
    let took = clock.monotonic();
    eprintln!("all partitions moved {took:?} after the death");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(lives.figures().evictions, 1);
    tasks.stop(0);
    let leaves = async {
        lives.owned().until(Partition(0), false).await;
        (0..PARTITIONS).for_each(|partition| lives.rested(Partition(partition)));
    };
    tokio::join!(tasks.run(), leaves);
    assert!(table(&of).members().await.expect("rows").is_empty(), "who leaves leaves no row");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_cluster_stands_still_nobody_projects_and_then_the_same_go_on() {
    // Of its own: the others' must not stand still.
    let engine = tokio::task::spawn_blocking(Engine::start).await.expect("an engine");
    let of = (engine.connect("leases").await, "projector".to_owned());
    schema::apply(&of.0, &ONE_COPY).await.expect("a schema");
    let (lease, tasks) = start(&of, Timing::default());
    let mut owned = lease.owned();
    owned.until(Partition(0), true).await;
    let before = owned.now();
    engine.signal("-STOP");
    let clock = Clock::system();
    owned.until(Partition(0), false).await;
    let lapsed = clock.monotonic();
    assert!(lapsed < Timing::default().own + Duration::from_millis(500), "{lapsed:?}");
    assert_eq!((owned.now().len(), lease.figures().lapsed), (0, 1));
    // Its runners rest, as they would.
    (0..PARTITIONS).for_each(|partition| lease.rested(Partition(partition)));
    tokio::time::sleep(Timing::default().stale).await;
    engine.signal("-CONT");
    owned.until(Partition(0), true).await;
    eprintln!("it stopped by itself after {lapsed:?}, and went on {:?} after the stop", clock.monotonic());
    assert_eq!((owned.now(), lease.figures().evicted), (before, 0));
    assert!(lease.figures().failed > 0);
    tasks.stop(0);
    let leaves = async {
        owned.until(Partition(0), false).await;
        (0..PARTITIONS).for_each(|partition| lease.rested(Partition(partition)));
    };
    tokio::join!(tasks.run(), leaves);
}
