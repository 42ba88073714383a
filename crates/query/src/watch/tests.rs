//! Only those hear who asked, and nobody misses for ever what a lossy hub lost.

use corral_domain::RunId;
use corral_hub::Nudge;
use corral_read_store::{Checkpoint, MemoryStore, WriteBatch};

use super::*;

fn stream(organization: u8, run: &str) -> StreamKey {
    let run: RunId = run.parse().expect("an id");
    StreamKey::run(OrganizationId::from_bytes([organization; 16]), &run)
}

fn nudge(stream: StreamKey) -> Message {
    Nudge { stream, partition: Partition(0), applied_through: Offset(1) }.into()
}

#[test]
fn an_interest_hears_its_streams_and_no_others() {
    let watch = Arc::new(Watch::default());
    let one = watch.register(Wanted::Streams(vec![stream(1, "a"), stream(1, "b")]));
    let all = watch.register(Wanted::Organization(OrganizationId::from_bytes([1; 16])));
    watch.hear(&nudge(stream(1, "b")));
    watch.hear(&nudge(stream(1, "c")));
    watch.hear(&nudge(stream(2, "a")));
    assert_eq!(one.take(), Changed::Streams(HashSet::from([stream(1, "b")])));
    assert_eq!(all.take(), Changed::Streams(HashSet::from([stream(1, "b"), stream(1, "c")])));
    assert_eq!(one.take(), Changed::Nothing);
    for i in 0..=CHANGED_STREAMS_MAX {
        watch.hear(&nudge(stream(1, &format!("r{i}"))));
    }
    assert_eq!(all.take(), Changed::Everything);
}

#[test]
fn a_dropped_interest_leaves_nothing_behind() {
    let watch = Arc::new(Watch::default());
    let one = watch.register(Wanted::Streams(vec![stream(1, "a")]));
    let two = watch.register(Wanted::Streams(vec![stream(1, "a")]));
    drop(one);
    watch.hear(&nudge(stream(1, "a")));
    assert_ne!(two.take(), Changed::Nothing);
    drop(two);
    let registry = lock(&watch.0);
    assert!(registry.ears.is_empty() && registry.streams.is_empty() && registry.organizations.is_empty());
}

#[test]
fn changes_add_up() {
    let streams = |names: &[&str]| Changed::Streams(names.iter().map(|name| stream(1, name)).collect());
    let mut changed = Changed::Nothing;
    changed.merge(streams(&["a"]));
    changed.merge(Changed::Nothing);
    changed.merge(streams(&["b"]));
    assert_eq!(changed, streams(&["a", "b"]));
    changed.merge(Changed::Everything);
    changed.merge(streams(&["c"]));
    assert_eq!(changed, Changed::Everything);
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_tells_nothing_is_found_out_and_a_quiet_one_wakes_nobody() {
    let (watch, store, hub) = (Arc::new(Watch::default()), MemoryStore::new(), Hub::with_capacity(2));
    let tasks = corral_tasks::Tasks::new();
    let (running, shared, ear) = (watch.clone(), Arc::new(store.clone()), hub.clone());
    tasks.spawn("watch", corral_tasks::Kind::Upkeep, async move {
        running.run(ear, shared, 1, Shutdown::new()).await;
        Ok(())
    });
    let interest = watch.register(Wanted::Streams(vec![stream(1, "a")]));
    let quiet = tokio::time::timeout(Duration::from_secs(60), interest.changed()).await;
    assert!(quiet.is_err(), "nothing moved");
    let checkpoint = Checkpoint { offset: Offset(5), ..Checkpoint::default() };
    store.commit(Partition(0), WriteBatch::default(), checkpoint).await.expect("commits");
    tokio::time::timeout(Duration::from_millis(LOOK_MS + GRACE_MS + 1), interest.changed()).await.expect("found out");
    assert_eq!(interest.take(), Changed::Everything);
    let quiet = tokio::time::timeout(Duration::from_secs(60), interest.changed()).await;
    assert!(quiet.is_err(), "told once");
    // Told in time: the look finds nothing lost.
    let checkpoint = Checkpoint { offset: Offset(9), ..Checkpoint::default() };
    store.commit(Partition(0), WriteBatch::default(), checkpoint).await.expect("commits");
    hub.publish(Message::Checkpointed { partition: Partition(0), offset: Offset(9) });
    let quiet = tokio::time::timeout(Duration::from_secs(60), interest.changed()).await;
    assert!(quiet.is_err(), "nothing was lost");
    // More than the hub keeps: everybody looks at everything.
    for _ in 0..10 {
        hub.publish(nudge(stream(3, "x")));
    }
    interest.changed().await;
    assert_eq!(interest.take(), Changed::Everything);
}
