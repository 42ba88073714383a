//! What a spool held, read back as a door would.

use corral_domain::Value;
use corral_spool::{Cursor, GapNote, Options, Owner, Spool, WriterIdentity};

use super::*;
use crate::row::Row;

/// A spool of rows, entries and gaps, cut into batches and decoded.
fn check(fill: impl Fn(&Spool, corral_spool::WriterIndex), cut: Cut, expect: impl Fn(&[(u64, u64, Vec<RunEntry>)])) {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options { ring_bytes: 4 << 20, ..Options::new(dir.path().to_owned()) };
    let spool = Spool::create(options, Owner::default(), [1; 16], 1).expect("a spool");
    let writer = spool.open_writer(WriterIdentity::default()).expect("a writer");
    fill(&spool, writer);
    let (mut cursor, mut chunk) = (Cursor::new(writer, 1), Chunk::default());
    while spool.read(&mut cursor, &mut chunk, usize::MAX, usize::MAX).expect("read") {}
    let (mut at, mut batches, mut next) = (0, Vec::new(), 1);
    while let Some((batch, taken)) = build(&chunk, at, cut) {
        at += taken;
        assert_eq!(batch.first, next);
        next = batch.last + 1;
        let entries = decode_run_items(&batch.items.into()).expect("what a door takes");
        assert_eq!(corral_event_codec::item_count(&entries), batch.last - batch.first + 1);
        batches.push((batch.first, batch.last, entries));
    }
    expect(&batches);
}

fn log(spool: &Spool, writer: corral_spool::WriterIndex, step: Step, values: &[(u32, Value)]) {
    let mut row = Row::default();
    for (metric, value) in values {
        row.push(*metric, *value);
    }
    let place = |place: &mut [u8]| row.encode(step, 7, place);
    spool.append_with(writer, item::ROW, row.encoded_len(), place).expect("append");
}

fn finished(last_seq: u64) -> Vec<u8> {
    let state = corral_domain::run::FinishState::Finished;
    let entry = corral_domain::run::RunFinished { state, exit_code: None, message: String::new(), last_seq };
    encode_run_items(&[RunEntry::Finished(entry)]).to_vec()
}

const CUT: Cut = Cut { next_step: 100, single: false };

#[test]
fn item_1_is_alone_and_rows_of_one_set_are_one_group() {
    let fill = |spool: &Spool, writer| {
        spool.append_control(writer, item::ENTRY, finished).expect("item 1");
        for step in 0..5 {
            log(spool, writer, Step::Auto(step), &[(0, Value::F64(step as f64)), (3, Value::I64(step))]);
        }
        log(spool, writer, Step::At(9), &[(0, Value::F32(0.5)), (3, Value::I64(1))]);
        spool.append_control(writer, item::ENTRY, finished).expect("the end");
    };
    check(fill, CUT, |batches| {
        assert_eq!(batches.iter().map(|(first, last, _)| (*first, *last)).collect::<Vec<_>>(), [(1, 1), (2, 8)]);
        let [RunEntry::Points(five), RunEntry::Points(one), RunEntry::Finished(_)] = &batches[1].2[..] else {
            panic!("{batches:?}")
        };
        assert_eq!((five.rows, five.columns.len(), one.rows), (5, 2, 1));
        assert_eq!(
            (five.step(0), five.step(4), one.step(0)),
            (100, 104, 9),
            "only steps that were not given are moved"
        );
        assert_eq!((five.columns[1].metric, five.columns[1].value(3)), (3, Value::I64(3)));
        assert_eq!(one.columns[0].value(0), Value::F32(0.5));
    });
    check(fill, Cut { single: true, ..CUT }, |batches| assert_eq!(batches.len(), 8));
}

#[test]
fn gaps_cover_what_they_replace() {
    let fill = |spool: &Spool, writer| {
        spool.append_control(writer, item::ENTRY, finished).expect("item 1");
        for step in 0..10 {
            log(spool, writer, Step::At(step), &[(0, Value::Bool(true))]);
        }
        spool.replace(writer, 4, GapNote { to: 6, detail: b"too large".to_vec() }).expect("replace");
        spool.append(writer, 77, b"of a later version").expect("append");
    };
    check(fill, CUT, |batches| {
        let gaps: Vec<_> = batches[1]
            .2
            .iter()
            .filter_map(|entry| if let RunEntry::Gap(gap) = entry { Some(gap) } else { None })
            .collect();
        assert_eq!(
            (gaps[0].from, gaps[0].to, gaps[0].why, &gaps[0].detail[..]),
            (4, 6, GapReason::Refused, "too large")
        );
        assert_eq!((gaps[1].from, gaps[1].to, gaps[1].why), (12, 12, GapReason::Damaged));
    });
}

#[test]
fn no_batch_is_larger_than_a_door_takes() {
    let wide: Vec<(u32, Value)> = (0..16_000).map(|metric| (80_000 + metric, Value::F64(0.1))).collect();
    let fill = |spool: &Spool, writer| {
        for call in 0..10 {
            // Every other row is of another set: the worst case for columns.
            log(spool, writer, Step::At(call), &wide[..16_000 - (call as usize % 2)]);
            log(spool, writer, Step::At(call), &wide[..1]);
        }
    };
    check(fill, CUT, |batches| {
        for (_, _, entries) in batches {
            let bytes = encode_run_items(entries).len();
            assert!(bytes <= corral_domain::limits::BATCH_BYTES_MAX, "{bytes} bytes");
        }
    });
}
