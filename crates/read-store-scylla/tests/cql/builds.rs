//! Schema and builds: made, looked at, switched to, dropped.

use bytes::Bytes;
use corral_domain::{BuildId, Offset, Partition};
use corral_read_store::{Checkpoint, Key, Mutation, ReadStore, StoreError, Table, WriteBatch};
use corral_read_store_scylla::schema::{self, Checked, SCHEMA_VERSION, SchemaError};
use corral_read_store_scylla::{Builds, ScyllaStore};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;

use super::engine::ONE_COPY;
use super::{CHANGING, engine};

async fn fill(store: &ScyllaStore) {
    let key = Key { table: Table::Project, partition: Bytes::from_static(b"o"), clustering: Bytes::from_static(b"p") };
    let batch = WriteBatch { derived: vec![Mutation::one(key, Some(Bytes::from_static(b"x")), 1)], state: Vec::new() };
    store
        .commit(Partition(0), batch, Checkpoint { offset: Offset(5), ..Checkpoint::default() })
        .await
        .expect("a commit");
}
async fn is_filled(store: &ScyllaStore) -> bool {
    store.checkpoint(Partition(0)).await.expect("a checkpoint").is_some()
}

/// Somebody else with rights.
async fn admin() -> Session {
    let login = engine().login();
    let session = SessionBuilder::new().known_node(engine().address()).user(login.user, login.password);
    session.build().await.expect("a session")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_is_made_beside_the_served_build_and_switched_to() {
    let cluster = engine().connect("switching").await;
    let _one = CHANGING.lock().await;
    let builds = Builds::new(cluster.clone());
    let missing = schema::check(&cluster).await.unwrap_err();
    assert!(matches!(missing, SchemaError::Missing { .. }), "{missing}");
    assert!(builds.open_current().await.err().unwrap().to_string().contains("corral schema apply"));

    let first = Checked { version: SCHEMA_VERSION, build: BuildId(1) };
    assert_eq!(schema::apply(&cluster, &ONE_COPY).await.unwrap(), first);
    let served = builds.open_current().await.unwrap();
    assert_eq!(served.build, BuildId(1));
    fill(&served.store).await;
    // A second time it changes nothing.
    assert_eq!(schema::apply(&cluster, &ONE_COPY).await.unwrap(), first);
    assert!(is_filled(&served.store).await);

    let next = builds.unused().await.unwrap();
    assert_eq!(next, BuildId(2));
    fill(&builds.create(next).await.unwrap()).await;
    // What a rebuild that was cut short left is gone.
    let second = builds.create(next).await.unwrap();
    assert!(!is_filled(&second).await && is_filled(&served.store).await);
    assert_eq!(builds.list().await.unwrap(), [BuildId(1), BuildId(2)]);
    assert_eq!(builds.current().await.unwrap(), Some(BuildId(1)));
    builds.switch(next).await.unwrap();
    builds.switch(next).await.unwrap();
    assert_eq!(builds.open_current().await.unwrap().build, next);
    let refused = builds.remove(next).await.unwrap_err();
    assert!(matches!(refused, StoreError::Invalid(_)), "{refused}");
    builds.remove(BuildId(1)).await.unwrap();
    builds.remove(BuildId(1)).await.unwrap();
    assert_eq!(builds.list().await.unwrap(), [BuildId(2)]);
    // Whoever still has it open is told for good.
    let gone = served.store.checkpoint(Partition(0)).await.unwrap_err();
    assert!(matches!(gone, StoreError::Invalid(_)), "{gone}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_schema_is_told_by_what_to_do() {
    let cluster = engine().connect("versions").await;
    let _one = CHANGING.lock().await;
    schema::apply(&cluster, &ONE_COPY).await.unwrap();
    let admin = admin().await;
    let run = async |text: &str| drop(admin.query_unpaged(text, ()).await.unwrap());
    let told = async || schema::check(&cluster).await.map_err(|error| error.to_string()).unwrap_err();

    run("ALTER TABLE versions.b1_tail DROP value").await;
    run("ALTER TABLE versions.b1_tail ADD value_text text").await;
    run("DROP TABLE versions.b1_chunk").await;
    let different = told().await;
    assert!(different.contains("table b1_tail has no column value; table b1_chunk is missing"), "{different}");
    for (version, expect) in [(0, "run `corral schema apply`"), (2, "use a newer Corral")] {
        run(&format!("UPDATE versions.meta SET number = {version} WHERE name = 'schema_version' IF EXISTS")).await;
        let text = told().await;
        assert!(text.contains(expect) && text.contains(&format!("version {version}")), "{text}");
        let refused = schema::apply(&cluster, &ONE_COPY).await.unwrap_err().to_string();
        assert_eq!(refused, text);
    }
}

/// An `apply` that ended anywhere is run again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_cut_short_apply_left_is_completed() {
    let cluster = engine().connect("halves").await;
    let _one = CHANGING.lock().await;
    let admin = admin().await;
    let run = async |text: &str| drop(admin.query_unpaged(text, ()).await.unwrap());
    run("CREATE KEYSPACE halves WITH replication = {'class': 'NetworkTopologyStrategy', 'replication_factor': 1}")
        .await;
    assert!(matches!(schema::check(&cluster).await, Err(SchemaError::Missing { .. })));
    run("CREATE TABLE halves.meta (name text, number bigint, PRIMARY KEY (name))").await;
    run("CREATE TABLE halves.b1_state (other int PRIMARY KEY)").await;
    assert!(matches!(schema::check(&cluster).await, Err(SchemaError::Missing { .. })));
    let checked = schema::apply(&cluster, &ONE_COPY).await.unwrap();
    assert_eq!(checked.build, BuildId(2), "the half is left alone");
    let builds = Builds::new(cluster.clone());
    builds.remove(BuildId(1)).await.unwrap();
    assert_eq!(builds.list().await.unwrap(), [BuildId(2)]);
}
