//! Random schedules against a model: whatever was appended comes back as it was, or a gap says why not.

use std::collections::BTreeMap;
use std::path::Path;

use corral_spool::{Chunk, Cursor, GapNote, ItemKind, Options, Owner, Spool, WriterIdentity, WriterIndex, orphans};

const WRITERS: usize = 3;

/// xorshift: the schedule of a seed never changes.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What a writer's items are: (kind, payload), by seq.
#[derive(Default, Clone)]
struct Model {
    items: BTreeMap<u64, (u8, Vec<u8>)>,
    replaced: BTreeMap<u64, u64>,
    acked: u64,
}

impl Model {
    fn last(&self) -> u64 {
        self.items.last_key_value().map_or(0, |(seq, _)| *seq)
    }

    /// Reads from `from` on and compares; answers how many items were dropped.
    fn check(&self, spool: &Spool, writer: WriterIndex, from: u64) -> u64 {
        let (mut cursor, mut chunk, mut next, mut dropped) = (Cursor::new(writer, from), Chunk::default(), from, 0);
        loop {
            chunk.clear();
            let more = spool.read(&mut cursor, &mut chunk, 50_000, 500).expect("read");
            for item in &chunk.items {
                assert_eq!(item.seq, next, "in order, without a hole");
                next = item.last + 1;
                match item.kind {
                    ItemKind::Client(kind) => {
                        let (expected, payload) = &self.items[&item.seq];
                        assert_eq!((kind, chunk.payload(item)), (*expected, &payload[..]));
                    }
                    ItemKind::Replaced => {
                        let begin = self.replaced.range(..=item.seq).next_back().expect("a gap was put there");
                        assert_eq!(*begin.1, item.last);
                    }
                    ItemKind::Dropped => {
                        assert!((item.seq..=item.last).all(|seq| self.items[&seq].0 != 2), "control items stay");
                        dropped += item.last - item.seq + 1;
                    }
                    ItemKind::Damaged => panic!("nothing was damaged: {item:?}"),
                }
            }
            if !more {
                assert_eq!(next, self.last() + 1, "everything is told");
                return dropped;
            }
        }
    }
}

fn copy_dir(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a directory").flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copy");
    }
}

/// Puts a gap in the place of an item that was neither acknowledged nor replaced, if the one drawn is such.
fn replace_one(spool: &Spool, writer: WriterIndex, model: &mut Model, random: &mut Random) {
    let from = model.acked + 1 + random.below(model.last() - model.acked);
    if model.replaced.range(..=from).next_back().is_none_or(|(_, to)| *to < from) {
        spool.replace(writer, from, GapNote { to: from, detail: vec![1] }).expect("replace");
        model.replaced.insert(from, from);
    }
}

fn schedule(seed: u64) -> (u64, u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options {
        may_map: !seed.is_multiple_of(4),
        ring_bytes: 500 << 10,
        overflow_file_bytes: 64 << 10,
        overflow_bytes_max: 256 << 10,
        ..Options::new(dir.path().to_owned())
    };
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let spool = Spool::create(options, Owner::default(), [seed as u8; 16], seed as u32).expect("a spool");
    let identity = |n: usize| WriterIdentity { writer_id: [n as u8; 16], epoch: 1, run_id: format!("r{n}") };
    let writers: Vec<WriterIndex> = (0..WRITERS).map(|n| spool.open_writer(identity(n)).expect("a writer")).collect();
    let mut models = vec![Model::default(); WRITERS];
    let (mut dropped, mut overflowed) = (0, 0);
    // Some schedules acknowledge often, some hardly ever.
    let ack_every = [3, 30, 3_000][random.below(3) as usize];
    for _ in 0..3_000 {
        let n = random.below(WRITERS as u64) as usize;
        let (writer, model) = (writers[n], &mut models[n]);
        match random.below(100) {
            0..=90 => {
                let length = if random.below(50) == 0 { 20_000 } else { 10 + random.below(600) };
                let payload = vec![random.below(256) as u8; length as usize];
                let seq = spool.append(writer, 1, &payload).expect("append");
                model.items.insert(seq, (1, payload));
            }
            91..=95 => {
                let payload = vec![random.below(256) as u8; 1 + random.below(300) as usize];
                let seq = spool.append_control(writer, 2, |_| payload.clone()).expect("append");
                model.items.insert(seq, (2, payload));
            }
            96 if model.last() > model.acked => replace_one(&spool, writer, model, &mut random),
            _ => {
                if random.below(ack_every) == 0 && model.last() > model.acked {
                    model.acked += 1 + random.below(model.last() - model.acked);
                    spool.ack(writer, model.acked, 1).expect("ack");
                }
            }
        }
        overflowed = overflowed.max(spool.stats().overflow_bytes);
        if random.below(400) == 0 {
            model.check(&spool, writer, model.acked + 1);
        }
    }
    // Where a thread writes, what it has written is told by `close` only.
    if !spool.is_mapped() {
        assert!(!spool.close().expect("close"), "not all is acknowledged");
    }
    // As if it were killed now: a copy has nobody's lock.
    let copy = tempfile::tempdir().expect("a directory");
    copy_dir(dir.path(), copy.path());
    let adopted = Spool::adopt(&orphans(copy.path(), &[])[0].path).expect("adopt").expect("nobody's");
    for (writer, model) in writers.iter().zip(&models) {
        let alive = model.check(&spool, *writer, model.acked + 1);
        let read = model.check(&adopted, *writer, model.acked + 1);
        // What was dropped in the ring may still lie there: who adopts it finds it again.
        assert!(read <= alive, "who adopts reads no less than its process would have read");
        dropped += alive;
        let summary = adopted.writer(*writer);
        assert_eq!(
            summary.map(|found| (found.last_seq, found.acked_seq)),
            Some((model.last(), model.acked)).filter(|(last, acked)| acked < last)
        );
        adopted.ack(*writer, model.last(), 1).ok();
    }
    assert!(adopted.close().expect("close"));
    assert_eq!(std::fs::read_dir(copy.path()).expect("the directory").count(), 0, "nothing is left behind");
    (dropped, overflowed)
}

#[test]
fn schedules() {
    let results: Vec<_> = (1..=200).map(schedule).collect();
    assert!(results.iter().filter(|(dropped, _)| *dropped > 0).count() >= 10, "schedules that drop: {results:?}");
    assert!(
        results.iter().filter(|(dropped, overflowed)| *dropped == 0 && *overflowed > 0).count() >= 5,
        "{results:?}"
    );
}
