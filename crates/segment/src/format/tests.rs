//! The bytes of version 1, written down: they can never change.

use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn header() -> SegmentHeader {
    let identity = LogIdentity { log_id: LogId::from_bytes([0xa1; 16]), log_epoch: LogEpoch(3), partitions: 4 };
    SegmentHeader {
        identity,
        partition: 2,
        base: Offset(0x0102_0304),
        salt: 0x1122_3344_5566_7788,
        previous: [0xb2; 16],
        last_time: Micros(1_700_000_000_000_000),
        sparse: false,
    }
}

fn batch() -> Vec<u8> {
    let head =
        BatchHead { first: 7, count: 2, synced: 5, time: Micros(1_000_000), previous: [0xc3; 16], is_footer: false };
    let mut bytes = Vec::new();
    encode_batch(&mut bytes, 0x1122_3344_5566_7788, &head, &[Bytes::from_static(b"abc"), Bytes::new()]);
    bytes
}

#[test]
fn a_header_has_the_bytes_of_version_1() {
    let bytes = header().encode();
    assert_eq!(hex(&bytes), GOLDEN_HEADER);
    assert_eq!(SegmentHeader::decode(&[bytes, bytes].concat()), Decoded::Valid(header()));
    let mut damaged = [bytes, bytes].concat();
    damaged[20] ^= 1;
    assert_eq!(SegmentHeader::decode(&damaged), Decoded::Valid(header()), "the second copy will do");
    damaged[HEADER_BYTES + 20] ^= 1;
    assert_eq!(SegmentHeader::decode(&damaged), Decoded::Damaged);
    assert_eq!(SegmentHeader::decode(&[]), Decoded::Damaged);
}

#[test]
fn a_batch_has_the_bytes_of_version_1() {
    let bytes = batch();
    assert_eq!(hex(&bytes), GOLDEN_BATCH);
    assert_eq!(claimed_bytes(&bytes, 0x1122_3344_5566_7788), Some(bytes.len()));
    assert_eq!(claimed_bytes(&bytes, 0x1122_3344_5566_7789), None, "another segment's batch");
    let head = decode_batch(&bytes).unwrap();
    assert_eq!((head.first, head.end(), head.synced, head.last_time()), (7, 9, 5, Micros(1_000_001)));
    let records: Vec<Record> = records(&Bytes::from(bytes), head).collect();
    let at = |offset, time, bytes: &'static [u8]| Record {
        offset: Offset(offset),
        append_time: Micros(time),
        bytes: Bytes::from_static(bytes),
    };
    assert_eq!(records, vec![at(7, 1_000_000, b"abc"), at(8, 1_000_001, b"")]);
}

#[test]
fn a_footer_has_the_bytes_of_version_1() {
    let head = BatchHead { first: 9, count: 0, synced: 9, time: Micros(1), previous: [0xd4; 16], is_footer: true };
    let mut bytes = Vec::new();
    encode_footer(&mut bytes, 0x1122_3344_5566_7788, &head, (1, 83, [0xe5; 32]));
    assert_eq!(hex(&bytes), GOLDEN_FOOTER);
    assert_eq!(decode_batch(&bytes), Some(head));
    assert_eq!(footer_digest(&bytes), [0xe5; 32]);
}

#[test]
fn a_batch_with_any_bit_flipped_is_refused() {
    let bytes = batch();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let whole = claimed_bytes(&damaged, 0x1122_3344_5566_7788) == Some(bytes.len());
        assert!(!whole || decode_batch(&damaged).is_none(), "bit {bit}");
    }
}

const GOLDEN_HEADER: &str = concat!(
    "434f5252414c53470100800004000200a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a103000000000000000403020100000000",
    "8877665544332211b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b200401e18240a060000000000000000000000000000000000",
    "00000000000000000000000000000000000000000000000000000000b8358d70",
);
const GOLDEN_BATCH: &str = concat!(
    "887766554433221153000000cf6007ca0700000000000000050000000000000040420f0000000000c3c3c3c3c3c3c3c3",
    "c3c3c3c3c3c3c3c3020000000100000003000000000000006162630000000001000000",
);
const GOLDEN_FOOTER: &str = concat!(
    "88776655443322117000000099d0492d090000000000000009000000000000000100000000000000d4d4d4d4d4d4d4d4",
    "d4d4d4d4d4d4d4d4000000000200000001000000000000005300000000000000e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5",
    "e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5",
);
