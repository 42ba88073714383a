//! Appending, reading, acknowledging and making room, at scaled-down bounds; the real ones are `Options::new`'s.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::reader::{Chunk, Cursor, ItemKind};

pub(crate) fn options(dir: &Path) -> Options {
    Options {
        ring_bytes: 600 << 10,
        overflow_bytes_max: 512 << 10,
        overflow_file_bytes: 128 << 10,
        ..Options::new(dir.to_owned())
    }
}

pub(crate) fn spool(options: Options) -> Spool {
    let owner = Owner { url: "http://127.0.0.1:4870".into(), ..Owner::default() };
    Spool::create(options, owner, [options_id(); 16], 77).expect("a spool")
}

/// One a test process: names must differ within a directory, and each test has its own.
fn options_id() -> u8 {
    1
}

pub(crate) fn identity(n: u8) -> WriterIdentity {
    WriterIdentity { writer_id: [n; 16], epoch: 1, run_id: format!("run-{n}") }
}

/// Everything from `seq` on: seq to (last, kind, payload).
pub(crate) fn read_all(spool: &Spool, writer: WriterIndex, seq: u64) -> BTreeMap<u64, (u64, ItemKind, Vec<u8>)> {
    let (mut cursor, mut chunk, mut all) = (Cursor::new(writer, seq), Chunk::default(), BTreeMap::new());
    let mut expected = seq;
    loop {
        chunk.clear();
        let more = spool.read(&mut cursor, &mut chunk, 20_000, 1_000).expect("read");
        for item in &chunk.items {
            assert_eq!(item.seq, expected, "in order, without a hole");
            expected = item.last + 1;
            all.insert(item.seq, (item.last, item.kind, chunk.payload(item).to_vec()));
        }
        if !more {
            return all;
        }
    }
}

fn payload(writer: u8, seq: u64, length: usize) -> Vec<u8> {
    (0..length).map(|at| writer ^ (seq as u8).wrapping_mul(31).wrapping_add(at as u8)).collect()
}

#[test]
fn items_of_two_writers_and_control_items_come_back_in_seq_order() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = spool(options(dir.path()));
    let (a, b) = (spool.open_writer(identity(1)).expect("a"), spool.open_writer(identity(2)).expect("b"));
    assert_eq!(spool.append_control(a, 3, |seq| vec![seq as u8]).expect("control"), 1);
    for seq in 2..=50 {
        assert_eq!(spool.append(a, 1, &payload(1, seq, 40)).expect("a"), seq);
        assert_eq!(spool.append(b, 1, &payload(2, seq - 1, 9)).expect("b"), seq - 1);
    }
    assert_eq!(spool.append_control(b, 4, |_| vec![9; 3]).expect("control"), 50);
    let of_a = read_all(&spool, a, 1);
    assert_eq!(of_a[&1], (1, ItemKind::Client(3), vec![1]));
    assert!((2..=50).all(|seq| of_a[&seq] == (seq, ItemKind::Client(1), payload(1, seq, 40))));
    let of_b = read_all(&spool, b, 48);
    assert_eq!(of_b.keys().copied().collect::<Vec<_>>(), [48, 49, 50]);
    assert_eq!(of_b[&50].1, ItemKind::Client(4));
}

#[test]
fn a_reader_that_has_caught_up_goes_on_where_the_next_item_lies() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = spool(options(dir.path()));
    let (a, b) = (spool.open_writer(identity(1)).expect("a"), spool.open_writer(identity(2)).expect("b"));
    let (mut cursor, mut chunk) = (Cursor::new(a, 1), Chunk::default());
    for round in 1..=2_000_u64 {
        spool.append(a, 1, &payload(1, round, 64)).expect("a");
        for _ in 0..4 {
            let seq = spool.append(b, 1, &[0; 200]).expect("b");
            spool.ack(b, seq, 1).expect("ack");
        }
        chunk.clear();
        assert!(!spool.read(&mut cursor, &mut chunk, 1 << 20, 10).expect("read"));
        assert_eq!(chunk.items.len(), 1, "round {round}");
        assert_eq!(chunk.payload(&chunk.items[0]), payload(1, round, 64));
        spool.ack(a, round, 1).expect("ack");
    }
    assert_eq!(spool.stats().overflow_bytes, 0, "the ring went round {} times", 2_000 * 1_000 / (460 << 10));
}

/// What `log()` sees while nobody acknowledges, and afterwards.
#[test]
fn a_full_ring_overflows_into_files_and_comes_back_when_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = spool(options(dir.path()));
    let a = spool.open_writer(identity(1)).expect("a");
    let mut seq = 0;
    while spool.stats().overflow_bytes < 200_000 {
        seq = spool.append(a, 1, &payload(1, seq + 1, 500)).expect("append");
    }
    let all = read_all(&spool, a, 1);
    assert_eq!(all.len() as u64, seq);
    assert!(all.iter().all(|(seq, item)| *item == (*seq, ItemKind::Client(1), payload(1, *seq, 500))));
    spool.ack(a, seq, 1).expect("ack");
    for _ in 0..400 {
        seq = spool.append(a, 1, &payload(1, seq + 1, 500)).expect("append");
    }
    spool.ack(a, seq, 1).expect("ack");
    assert_eq!(spool.stats().overflow_bytes, 0);
    assert!(spool.close().expect("close"), "all is acknowledged");
    assert_eq!(std::fs::read_dir(dir.path()).expect("the directory").count(), 0, "every file is gone");
}

#[test]
fn beyond_the_bound_the_oldest_go_and_control_items_stay() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = spool(options(dir.path()));
    let a = spool.open_writer(identity(1)).expect("a");
    let mut control = Vec::new();
    for round in 0..8_000_u64 {
        if round % 100 == 0 {
            control.push(spool.append_control(a, 3, |seq| seq.to_le_bytes().to_vec()).expect("control"));
        }
        spool.append(a, 1, &payload(1, 0, 500)).expect("append");
    }
    let stats = spool.stats();
    assert!(stats.items_dropped > 4_000, "{stats:?}");
    assert!(stats.overflow_bytes <= 512 << 10, "{stats:?}");
    let check = |spool: &Spool| {
        let all = read_all(spool, a, 1);
        let dropped: u64 =
            all.iter().filter(|(_, item)| item.1 == ItemKind::Dropped).map(|(seq, item)| item.0 - seq + 1).sum();
        assert_eq!(dropped, stats.items_dropped, "each is told");
        assert!(all.values().all(|item| item.1 != ItemKind::Damaged));
        for seq in &control {
            assert_eq!(all[seq], (*seq, ItemKind::Client(3), seq.to_le_bytes().to_vec()));
        }
        assert_eq!(all.last_key_value().map(|(seq, item)| (*seq, item.1)), Some((8_080, ItemKind::Client(1))));
    };
    check(&spool);
    drop(spool);
    let path = crate::orphans(dir.path(), &[])[0].path.clone();
    check(&Spool::adopt(&path).expect("adopt").expect("nobody's"));
}

#[test]
fn a_disk_that_takes_nothing_more_costs_the_oldest_items_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = spool(options(dir.path()));
    let a = spool.open_writer(identity(1)).expect("a");
    // An overflow file cannot be made where one of its name is a directory.
    for number in 1..3 {
        std::fs::create_dir(spool.path().with_extension(format!("over-{number:06}"))).expect("a directory in the way");
    }
    let mut last = 0;
    for seq in 1..=5_000 {
        last = spool.append(a, 1, &payload(1, seq, 500)).expect("append");
    }
    let stats = spool.stats();
    assert!(stats.degraded && stats.items_dropped > 0, "{stats:?}");
    let all = read_all(&spool, a, 1);
    assert_eq!(all[&1], (stats.items_dropped, ItemKind::Dropped, Vec::new()));
    assert_eq!(all[&last].2, payload(1, last, 500));
}

#[test]
fn a_replaced_item_is_a_gap_from_then_on_and_after_adoption() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = spool(options(dir.path()));
    let a = spool.open_writer(identity(1)).expect("a");
    for seq in 1..=10 {
        spool.append(a, 1, &payload(1, seq, 10)).expect("append");
    }
    spool.note(a, 9, b"take 2").expect("note");
    spool.replace(a, 4, GapNote { to: 5, detail: b"too large".to_vec() }).expect("replace");
    spool.ack(a, 2, 8).expect("ack");
    let check = |spool: &Spool| {
        let all = read_all(spool, a, 1);
        assert_eq!(all[&4], (5, ItemKind::Replaced, b"too large".to_vec()));
        assert_eq!(all.len(), 9);
        assert_eq!(spool.notes(a).expect("notes"), [(9, b"take 2".to_vec())]);
        let summary = spool.writer(a).expect("the writer");
        assert_eq!(
            (summary.last_seq, summary.acked_seq, summary.acked_epoch, summary.identity),
            (10, 2, 8, identity(1))
        );
    };
    check(&spool);
    let path = spool.path().to_owned();
    assert!(!spool.close().expect("close"), "eight items are not acknowledged");
    drop(spool);
    let adopted = Spool::adopt(&path).expect("adopt").expect("nobody's");
    check(&adopted);
    assert!(adopted.append(a, 1, &[1]).is_err(), "an adopted ring is never appended to");
    adopted.ack(a, 10, 8).expect("ack");
    assert!(adopted.close().expect("close"));
    assert!(crate::orphans(dir.path(), &[]).is_empty());
}

#[test]
fn a_living_processs_ring_is_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = spool(options(dir.path()));
    assert!(Spool::adopt(spool.path()).expect("adopt").is_none());
    assert!(crate::orphans(dir.path(), &[spool.path().to_owned()]).is_empty());
    assert_eq!(crate::orphans(dir.path(), &[]).len(), 1);
}

#[test]
fn without_mapping_a_thread_writes_the_same_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = spool(Options { may_map: false, ..options(dir.path()) });
    assert!(!spool.is_mapped());
    let a = spool.open_writer(identity(1)).expect("a");
    for seq in 1..=3_000 {
        spool.append(a, 1, &payload(1, seq, 100)).expect("append");
    }
    let path = spool.path().to_owned();
    assert!(!spool.close().expect("close"));
    drop(spool);
    let adopted = Spool::adopt(&path).expect("adopt").expect("nobody's");
    let all = read_all(&adopted, a, 1);
    assert_eq!(all.len(), 3_000);
    assert!(all.iter().all(|(seq, item)| *item == (*seq, ItemKind::Client(1), payload(1, *seq, 100))));
}

#[test]
fn limits_are_refused_by_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = spool(Options { control_bytes_max: 1_000, ..options(dir.path()) });
    let a = spool.open_writer(identity(1)).expect("a");
    let large = vec![0; ITEM_PAYLOAD_BYTES_MAX + 1];
    assert!(matches!(spool.append(a, 1, &large), Err(SpoolError::ItemTooLarge { .. })));
    assert!(matches!(spool.append_control(a, 1, |_| large.clone()), Err(SpoolError::ItemTooLarge { .. })));
    assert_eq!(spool.append(a, 1, &large[1..]).expect("the largest"), 1, "what was refused took no seq");
    let refused = (0..100).find_map(|_| spool.append_control(a, 1, |_| vec![0; 100]).err());
    assert!(matches!(refused, Some(SpoolError::Limit { .. })));
    let refused = (0..2_000).find_map(|n| spool.open_writer(identity(n as u8)).err());
    assert!(matches!(refused, Some(SpoolError::Limit { max: 1_024, .. })));
    assert!(matches!(spool.append(WriterIndex(9_999), 1, &[]), Err(SpoolError::NoSuchWriter(9_999))));
}

#[test]
fn slots_of_finished_writers_are_used_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = spool(options(dir.path()));
    for n in 0..3_000_u64 {
        let writer = spool.open_writer(identity(n as u8)).expect("a slot");
        spool.append(writer, 1, &[1, 2, 3]).expect("append");
        spool.close_writer(writer).expect("close");
        spool.ack(writer, 1, 1).expect("ack");
        assert!(spool.writer(writer).is_none());
    }
    assert!(spool.close().expect("close"));
    assert_eq!(std::fs::read_dir(dir.path()).expect("the directory").count(), 0);
}
