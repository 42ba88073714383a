//! Where the ring is not mapped, who appends touches no file.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::reader::ItemKind;
use crate::spool::tests::{identity, options, read_all, spool};
use crate::spool::{Options, Spool};
use crate::writer::WriterIndex;

fn names(dir: &Path) -> Vec<String> {
    let names = std::fs::read_dir(dir).expect("the directory").flatten();
    let mut names: Vec<String> = names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn unmapped(dir: &Path) -> Options {
    Options { may_map: false, overflow_bytes_max: 1 << 30, ..options(dir) }
}

/// Until the thread has come to what it has to do.
fn until(what: &str, done: impl Fn() -> bool) {
    let looks = (0..2_000).find(|_| {
        let is_done = done();
        if !is_done {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        is_done
    });
    assert!(looks.is_some(), "{what}");
}

#[test]
fn only_the_thread_makes_writes_and_removes_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut inner, path) = Inner::create(unmapped(dir.path()), Default::default(), [1; 16], 7).expect("a ring");
    let writer = inner.open_writer(identity(1)).expect("a writer");
    for _ in 0..2_000 {
        inner.append_control(writer.0, 3, |seq| seq.to_le_bytes().to_vec()).expect("control");
        inner.append(writer.0, 1, 500, |place| place.fill(7)).expect("append");
    }
    assert!(inner.extents.list.len() > 3, "it has overflowed");
    let ring = path.file_name().expect("a name").to_string_lossy().into_owned();
    assert_eq!(names(dir.path()), [&ring[..]], "nobody has made a file yet");
    let waiting = inner.later.as_ref().expect("a thread writes").bytes();
    assert!(waiting > 500_000, "{waiting} bytes wait");

    let inner = Mutex::new(inner);
    write_all(&inner).expect("the disk takes it");
    let made = names(dir.path());
    assert!(made.iter().any(|name| name.contains("control-")) && made.iter().any(|name| name.contains("over-")));
    let mut inner = inner.into_inner().expect("whole");
    assert_eq!(inner.later.as_ref().expect("a thread writes").bytes(), 0);
    inner.ack(writer.0, 4_000, 1).expect("ack");
    assert_eq!(names(dir.path()), made, "who acknowledges removes nothing");
    inner.later.as_ref().expect("a thread writes").remove_doomed();
    assert!(names(dir.path()).len() < made.len());
}

/// A directory in the place of the first overflow file: none can be made.
fn blocked(dir: &Path) -> (Spool, WriterIndex, PathBuf) {
    let spool = spool(unmapped(dir));
    let writer = spool.open_writer(identity(1)).expect("a writer");
    let block = spool.path().with_extension("over-000001");
    std::fs::create_dir(&block).expect("a directory in the way");
    (spool, writer, block)
}

#[test]
fn what_waits_is_read_from_memory_and_written_once_the_disk_takes_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let (spool, writer, block) = blocked(dir.path());
    let payload = |seq: u64| vec![seq as u8; 500 + (seq % 7) as usize];
    for seq in 1..=4_000 {
        spool.append(writer, 1, &payload(seq)).expect("append");
    }
    let check = |spool: &Spool| {
        let all = read_all(spool, writer, 1);
        assert_eq!(all.len(), 4_000);
        assert!(all.iter().all(|(seq, item)| *item == (*seq, ItemKind::Client(1), payload(*seq))));
    };
    check(&spool);
    until("a failure is told", || spool.stats().degraded);
    std::fs::remove_dir(&block).expect("out of the way");
    until("it is written", || spool.lock().expect("ours").later.as_ref().is_some_and(|later| later.bytes() == 0));
    check(&spool);
    let path = spool.path().to_owned();
    assert!(!spool.close().expect("close"));
    drop(spool);
    check(&Spool::adopt(&path).expect("adopt").expect("nobody's"));
}

#[test]
fn what_waits_has_a_bound() {
    let dir = tempfile::tempdir().expect("a directory");
    let (spool, writer, _block) = blocked(dir.path());
    let large = vec![1; 200_000];
    for _ in 0..300 {
        spool.append(writer, 1, &large).expect("append");
    }
    let waiting = spool.lock().expect("ours").later.as_ref().map_or(0, |later| later.bytes());
    assert!((LATER_BYTES_MAX..LATER_BYTES_MAX + 400_000).contains(&waiting), "{waiting} bytes wait");
    let stats = spool.stats();
    assert!(stats.items_dropped > 50, "{stats:?}");
    let all = read_all(&spool, writer, 1);
    let dropped = all.values().filter(|item| item.1 == ItemKind::Dropped);
    assert!(dropped.count() > 0 && all.values().all(|item| item.1 != ItemKind::Damaged), "each is told");
    assert_eq!(all.last_key_value().map(|(seq, item)| (*seq, item.2.len())), Some((300, 200_000)));
}
