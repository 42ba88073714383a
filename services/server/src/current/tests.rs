//! Which build answers, and who hears of damage.

use std::sync::Mutex;

use corral_domain::Offset;
use corral_read_store::MemoryStore;

use super::*;

/// A store in which everything is damaged.
struct Broken;

fn damaged<T>() -> Result<T, StoreError> {
    Err(StoreError::Damaged("a test says so".to_owned()))
}

#[async_trait]
impl ReadStore for Broken {
    async fn commit(&self, _: Partition, _: WriteBatch, _: Checkpoint) -> Result<(), StoreError> {
        damaged()
    }
    async fn checkpoint(&self, _: Partition) -> Result<Option<Checkpoint>, StoreError> {
        damaged()
    }
    async fn get(&self, _: &Key) -> Result<Option<Bytes>, StoreError> {
        damaged()
    }
    async fn scan(&self, _: Table, _: &[u8], _: Range) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        damaged()
    }
    async fn dump(&self, _: Table, _: Option<(Bytes, Bytes)>, _: usize) -> Result<Vec<Write>, StoreError> {
        damaged()
    }
}

#[tokio::test]
async fn damage_is_told_with_its_build_and_another_build_answers_after_a_switch() {
    let heard: Arc<Mutex<Vec<BuildId>>> = Arc::default();
    let own = heard.clone();
    let on_damage: OnDamage = Box::new(move |build, reason| {
        assert_eq!(reason, "a test says so");
        own.lock().unwrap().push(build);
    });
    let store = CurrentStore::new(BuildId(7), Arc::new(Broken), on_damage);
    let partition = Partition(1);
    let key = Key { table: Table::State, partition: Bytes::new(), clustering: Bytes::new() };
    let at = Checkpoint { offset: Offset(3), ..Checkpoint::default() };
    store.commit(partition, WriteBatch::default(), at.clone()).await.unwrap_err();
    store.checkpoint(partition).await.unwrap_err();
    store.get(&key).await.unwrap_err();
    store.scan(Table::State, &[], Range::all(1)).await.unwrap_err();
    store.dump(Table::State, None, 1).await.unwrap_err();
    assert_eq!(*heard.lock().unwrap(), [BuildId(7); 5]);

    store.switch(BuildId(8), Arc::new(MemoryStore::new()));
    store.commit(partition, WriteBatch::default(), at.clone()).await.unwrap();
    assert_eq!(store.checkpoint(partition).await.unwrap(), Some(at));
    assert_eq!(heard.lock().unwrap().len(), 5);
}
