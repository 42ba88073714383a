//! The contract of the read store, schema, builds and access, against a real Apache Cassandra.

mod access;
mod builds;
mod commits;
mod engine;
mod faults;
mod lease;
mod statements;
mod vault;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use corral_domain::BuildId;
use corral_read_store::MemoryStore;
use corral_read_store::contract::{Store, differential};
use corral_read_store_scylla::{Builds, Cluster, ScyllaStore, schema};
use engine::{Engine, ONE_COPY};

/// A case that is not there would not fail: their number is.
const CASES: usize = 37;

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(Engine::start)
}

/// Changes of the schema come one at a time.
static CHANGING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A keyspace that builds of several tests share.
async fn shared() -> Cluster {
    let cluster = engine().connect("corral").await;
    let _one = CHANGING.lock().await;
    schema::apply(&cluster, &ONE_COPY).await.expect("a schema");
    cluster
}

/// An empty build of its own, dropped with the guard: a small engine does not hold the tables of all tests.
async fn fresh() -> (ScyllaStore, Dropped) {
    static NEXT: AtomicU32 = AtomicU32::new(2);
    let builds = Builds::new(shared().await);
    let build = BuildId(NEXT.fetch_add(1, Ordering::Relaxed));
    let _one = CHANGING.lock().await;
    let store = builds.create(build).await.expect("a build");
    (store, Dropped(builds, build))
}

struct Dropped(Builds, BuildId);

impl Drop for Dropped {
    fn drop(&mut self) {
        wait(async {
            let _one = CHANGING.lock().await;
            self.0.remove(self.1).await.expect("a build to remove");
        });
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}

fn open() -> (Store, Dropped) {
    let (store, dropped) = wait(fresh());
    (Arc::new(store), dropped)
}

corral_read_store::read_store_contract!(contract, open);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_agrees_with_the_stores_in_memory() {
    for seed in 0..3 {
        let (store, _dropped) = open();
        let stores = [
            ("atomic", Arc::new(MemoryStore::new()) as Store),
            ("cql mode", Arc::new(MemoryStore::cql(seed)) as Store),
            ("cassandra", store),
        ];
        differential::agree(&stores, seed, 150).await;
    }
}

#[test]
fn all_cases_are_here() {
    let program = std::env::current_exe().expect("a program");
    let listed = std::process::Command::new(program).args(["--list", "--format", "terse"]).output().expect("a list");
    let listed = String::from_utf8_lossy(&listed.stdout).lines().filter(|line| line.ends_with(": test")).count();
    assert_eq!(listed, CASES);
}
