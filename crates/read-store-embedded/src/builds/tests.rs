//! Builds come, are switched to, and go; one that does not open is set aside.

use std::os::unix::fs::PermissionsExt;

use bytes::Bytes;
use corral_domain::{Offset, Partition};
use corral_read_store::{Checkpoint, Key, Mutation, ReadStore, Table, WriteBatch};
use tempfile::TempDir;

use super::*;

async fn fill(store: &EmbeddedStore) {
    let key = Key { table: Table::Project, partition: Bytes::from_static(b"o"), clustering: Bytes::from_static(b"p") };
    let batch = WriteBatch { derived: vec![Mutation::one(key, Some(Bytes::from_static(b"x")), 1)], state: Vec::new() };
    store.commit(Partition(0), batch, Checkpoint { offset: Offset(5), ..Checkpoint::default() }).await.unwrap();
}
async fn is_filled(store: &EmbeddedStore) -> bool {
    store.checkpoint(Partition(0)).await.unwrap().is_some()
}

#[tokio::test]
async fn a_rebuild_is_made_beside_the_served_build_and_switched_to() {
    let data = TempDir::new().unwrap();
    let builds = Builds::open(data.path()).unwrap();
    assert_eq!(builds.current().unwrap(), None);
    let first = builds.open_current().unwrap();
    assert_eq!((first.build, first.set_aside), (BuildId(1), None));
    fill(&first.store).await;

    let next = builds.unused().unwrap();
    assert_eq!(next, BuildId(2));
    let second = builds.create(next).unwrap();
    assert!(!is_filled(&second).await && is_filled(&first.store).await);
    assert_eq!(builds.current().unwrap(), Some(BuildId(1)));
    builds.switch(next).unwrap();
    let refused = builds.remove(next).unwrap_err();
    assert!(matches!(refused, StoreError::Invalid(_)), "{refused:?}");
    drop((first.store, second));
    builds.remove(BuildId(1)).unwrap();
    builds.remove(BuildId(1)).unwrap();
    assert_eq!(builds.list().unwrap(), [BuildId(2)]);
    assert_eq!(builds.open_current().unwrap().build, BuildId(2));
    let mode = fs::metadata(data.path().join("read-store")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn what_a_cut_short_rebuild_left_is_removed() {
    let data = TempDir::new().unwrap();
    let builds = Builds::open(data.path()).unwrap();
    let _first = builds.open_current().unwrap();
    fill(&builds.create(BuildId(2)).unwrap()).await;
    assert!(!is_filled(&builds.create(BuildId(2)).unwrap()).await);
    fs::write(data.path().join("read-store/current.new"), "torn").unwrap();
    builds.switch(BuildId(2)).unwrap();
    assert_eq!(builds.current().unwrap(), Some(BuildId(2)));
}

#[tokio::test]
async fn a_build_that_does_not_open_is_set_aside_and_begun_again() {
    let data = TempDir::new().unwrap();
    let builds = Builds::open(data.path()).unwrap();
    for round in 0..4_u32 {
        let opened = builds.open_current().unwrap();
        assert_eq!((opened.build, opened.set_aside.is_some()), (BuildId(1), round > 0));
        assert!(!is_filled(&opened.store).await);
        if let Some(aside) = opened.set_aside {
            assert!(aside.ends_with(format!("1.aside-{}", round - 1)) && aside.is_dir());
        }
        fill(&opened.store).await;
        drop(opened.store);
        assert!(is_filled(&builds.open_current().unwrap().store).await);
        // The engine's own version file.
        fs::write(data.path().join("read-store/1/version"), "not an engine's file").unwrap();
    }
    let aside = builds.names().unwrap().into_iter().filter(|name| name.contains("aside")).count();
    assert_eq!(aside, STORE_ASIDE_COUNT_MAX);
}

#[tokio::test]
async fn a_build_that_another_process_has_is_not_set_aside() {
    let data = TempDir::new().unwrap();
    let builds = Builds::open(data.path()).unwrap();
    let _first = builds.open_current().unwrap();
    assert!(matches!(builds.open_current().err(), Some(StoreError::Unavailable(_))));
    assert_eq!(builds.list().unwrap(), [BuildId(1)]);
}

#[tokio::test]
async fn a_current_file_that_names_no_build_begins_a_new_one() {
    let data = TempDir::new().unwrap();
    let builds = Builds::open(data.path()).unwrap();
    drop(builds.open_current().unwrap());
    for text in ["", "x", "-1", "99999999999999999999"] {
        fs::write(data.path().join("read-store/current"), text).unwrap();
        let next = builds.unused().unwrap();
        assert_eq!(builds.open_current().unwrap().build, next, "{text:?}");
    }
}

#[tokio::test]
async fn a_condemned_build_is_set_aside() {
    let data = TempDir::new().unwrap();
    let builds = Builds::open(data.path()).unwrap();
    let opened = builds.open_current().unwrap();
    fill(&opened.store).await;
    builds.condemn(opened.build, "a block has another checksum").unwrap();
    drop(opened.store);
    for expect in [true, false] {
        let opened = builds.open_current().unwrap();
        assert_eq!(opened.set_aside.is_some(), expect);
        assert!(!is_filled(&opened.store).await);
    }
}

#[tokio::test]
async fn a_build_that_ends_the_process_while_it_opens_is_set_aside_after_a_few_times() {
    let data = TempDir::new().unwrap();
    let builds = Builds::open(data.path()).unwrap();
    fill(&builds.open_current().unwrap().store).await;
    let opening = data.path().join("read-store/opening");
    for (attempts, set_aside) in [("1", false), ("2", false), ("what", false), ("3", true), ("", false)] {
        fs::write(&opening, attempts).unwrap();
        let opened = builds.open_current().unwrap();
        assert_eq!(opened.set_aside.is_some(), set_aside, "{attempts:?}");
        assert!(!opening.exists());
    }
}
