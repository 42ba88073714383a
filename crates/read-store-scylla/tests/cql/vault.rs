//! The vault in a cluster: no change is lost, what is decided is seen, and a missing schema is told.

use std::sync::Arc;

use corral_domain::Micros;
use corral_read_store_scylla::schema::SchemaError;
use corral_read_store_scylla::{Cluster, ScyllaVault};
use corral_vault::{Contents, KeyRecord, Role, Scope, Vault, VaultStorage};

use super::engine::ONE_COPY;
use super::{CHANGING, engine};

async fn made(keyspace: &str) -> Cluster {
    let cluster = engine().connect(keyspace).await;
    let _one = CHANGING.lock().await;
    ScyllaVault::apply(&cluster, &ONE_COPY).await.expect("a vault");
    cluster
}

async fn storage(cluster: &Cluster) -> Arc<ScyllaVault> {
    Arc::new(ScyllaVault::open(cluster.clone()).await.expect("it opens"))
}

fn key(name: &str) -> KeyRecord {
    KeyRecord {
        name: name.to_owned(),
        hash: [7; 32],
        actor: "owner".parse().expect("an actor"),
        organization: corral_domain::OrganizationId::from_bytes([1; 16]),
        role: Role::Admin,
        scope: Scope::Full,
        created: Micros(1),
        expires: None,
        last_used: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_applied_whole_and_only_to_what_was_seen() {
    let storage = storage(&made("vault_swaps").await).await;
    assert_eq!((storage.version().unwrap(), storage.load().unwrap()), (0, (0, Default::default())));
    let put = |name: &str, value: &str| (name.to_owned(), Some(value.as_bytes().to_vec()));
    assert!(storage.swap(0, &[put("a", "1"), put("b", "2")]).unwrap());
    assert!(!storage.swap(0, &[put("a", "lost"), put("c", "lost")]).unwrap());
    assert!(!storage.swap(2, &[]).unwrap());
    assert!(storage.swap(1, &[("a".to_owned(), None), put("b", "3")]).unwrap());
    let (version, entries) = storage.load().unwrap();
    assert_eq!((version, storage.version().unwrap()), (2, 2));
    assert_eq!(entries, [("b".to_owned(), b"3".to_vec())].into());
    // The last entry goes, and the version stays.
    assert!(storage.swap(2, &[("b".to_owned(), None)]).unwrap());
    assert_eq!(storage.load().unwrap(), (3, Default::default()));
    // A change of so many entries as a process makes at once.
    let many: Vec<_> = (0..64).map(|number| put(&format!("key/{number}"), &"x".repeat(400))).collect();
    assert!(storage.swap(3, &many).unwrap());
    assert_eq!(storage.load().unwrap().1.len(), 64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_share_it_have_one_secret_and_lose_no_change() {
    let cluster = made("vault_shared").await;
    let (one, two) = (storage(&cluster).await, storage(&cluster).await);
    let (one, two) = tokio::join!(
        tokio::task::spawn_blocking(move || Vault::shared(one).expect("a vault")),
        tokio::task::spawn_blocking(move || Vault::shared(two).expect("a vault")),
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.keyed_hash("test", &[b"x"]), two.keyed_hash("test", &[b"x"]));
    let insert = |vault: &Vault, name: &'static str| {
        for number in 0..10 {
            let insert = |contents: &mut Contents| drop(contents.keys.insert(format!("{name}{number}"), key(name)));
            vault.change(insert).expect("a change");
        }
    };
    std::thread::scope(|scope| {
        let runtime = tokio::runtime::Handle::current();
        for (vault, name) in [(&one, "one"), (&two, "two")] {
            let runtime = runtime.clone();
            scope.spawn(move || {
                let _in = runtime.enter();
                insert(vault, name);
            });
        }
    });
    for vault in [one, two] {
        vault.refresh().unwrap();
        assert_eq!(vault.read(|contents| contents.keys.len()), 20);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_that_is_not_there_is_told_and_not_made() {
    let cluster = engine().connect("vault_missing").await;
    let error = ScyllaVault::open(cluster).await.err().expect("a refusal");
    assert!(matches!(error, SchemaError::Missing { .. }), "{error}");
    assert!(error.to_string().contains("corral schema apply"), "{error}");
    // A second `apply` changes nothing.
    let cluster = made("vault_again").await;
    assert!(storage(&cluster).await.swap(0, &[("a".to_owned(), Some(vec![1]))]).unwrap());
    ScyllaVault::apply(&cluster, &ONE_COPY).await.unwrap();
    assert_eq!(storage(&cluster).await.version().unwrap(), 1);
}
