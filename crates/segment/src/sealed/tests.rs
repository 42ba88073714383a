//! Whole segments: what was put in comes out, and nothing else does.

use corral_domain::{LogEpoch, LogId};

use super::*;

const BEFORE: Before = Before { hash: [5; 16], last_time: Micros(9) };

fn identity() -> LogIdentity {
    LogIdentity { log_id: LogId::from_bytes([0xa1; 16]), log_epoch: LogEpoch(3), partitions: 4 }
}

fn record(offset: u64, time: i64) -> Record {
    let bytes = vec![offset as u8; (offset % 90) as usize * 997];
    Record { offset: Offset(offset), append_time: Micros(time), bytes: bytes.into() }
}

/// Offsets with gaps; times that rise, stand, go back, and jump by more than a batch can say.
fn written() -> Vec<Record> {
    let times = [5, 6, 5, 6, 7_000_000_000, 6_999_999_999, 7_000_000_000, -3, -2];
    let offsets = [10, 11, 12, 20, 21, 22, 40, 41, 42];
    let mut records: Vec<Record> = offsets.into_iter().zip(times).map(|(offset, time)| record(offset, time)).collect();
    records.extend((100..1_000).map(|offset| record(offset, offset as i64)));
    records
}

fn write(records: &[Record]) -> Bytes {
    let mut writer = Writer::new(identity(), Partition(2), Offset(7), BEFORE);
    records.iter().for_each(|record| writer.push(record.clone()));
    assert_eq!(writer.records(), records.len() as u64);
    writer.seal(Offset(1_234)).0
}

#[test]
fn what_was_put_in_comes_out() {
    let records = written();
    let segment = Segment::open(write(&records)).unwrap();
    assert_eq!((segment.header.base, segment.end, segment.header.partition), (Offset(7), Offset(1_234), 2));
    assert_eq!((segment.header.identity, segment.header.previous), (identity(), BEFORE.hash));
    for from in [0, 7, 10, 11, 13, 42, 43, 500, 999, 1_000, 5_000] {
        let expected: Vec<Record> = records.iter().filter(|record| record.offset.0 >= from).cloned().collect();
        assert!(segment.records_from(Offset(from)).eq(expected), "from {from}");
    }
    assert_eq!(write(&records), write(&records), "the same records give the same bytes");
}

#[test]
fn a_segment_of_nothing_says_how_far_it_goes() {
    let (bytes, before) = Writer::new(identity(), Partition(0), Offset(3), BEFORE).seal(Offset(8));
    assert_eq!(before, BEFORE);
    let segment = Segment::open(bytes).unwrap();
    assert_eq!((segment.end, segment.records_from(Offset(0)).count()), (Offset(8), 0));
}

#[test]
fn segments_follow_one_another_by_hash() {
    let mut writer = Writer::new(identity(), Partition(2), Offset(7), BEFORE);
    writer.push(record(9, 70));
    let (_, before) = writer.seal(Offset(10));
    assert_eq!(before.last_time, Micros(70));
    assert_ne!(before.hash, BEFORE.hash);
    let (bytes, _) = Writer::new(identity(), Partition(2), Offset(10), before).seal(Offset(11));
    assert_eq!(Segment::open(bytes).unwrap().header.previous, before.hash);
}

#[test]
fn any_byte_that_changed_or_is_missing_is_found() {
    let mut writer = Writer::new(identity(), Partition(2), Offset(7), BEFORE);
    [8, 9, 30, 31].into_iter().for_each(|offset| writer.push(record(offset % 4 + offset / 4 * 4, 5)));
    let bytes = writer.seal(Offset(40)).0;
    let whole = Segment::open(bytes.clone()).unwrap();
    let records: Vec<Record> = whole.records_from(Offset(0)).collect();
    for at in (0..bytes.len()).step_by(7) {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 1 << (at % 8);
        match Segment::open(damaged.into()) {
            // One copy of the header will do.
            Ok(segment) => assert!(at < DATA_START as usize && segment.records_from(Offset(0)).eq(records.clone())),
            Err(error) => assert!(at >= DATA_START as usize, "byte {at}: {error}"),
        }
        assert!(Segment::open(bytes.slice(..at)).is_err(), "cut at {at}");
    }
    let longer = [&bytes[..], b"x"].concat();
    assert!(Segment::open(longer.into()).is_err());
}
