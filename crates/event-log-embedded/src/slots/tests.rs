//! The bytes of a slot of version 1, and what a slot file gives when one or both are damaged.

use std::sync::atomic::Ordering;

use super::*;
use crate::sim::SimStorage;
use crate::sim::faults::FaultyStorage;

fn slot(a: u64) -> Slot {
    Slot { log_id: LogId::from_bytes([0xa1; 16]), partition: 2, a, b: 6 }
}

fn found(storage: &SimStorage) -> Option<u64> {
    match read(storage, "synced", SlotKind::Synced).unwrap() {
        Found::Slot(file) => Some(file.current().a),
        Found::Damaged => None,
        Found::Missing | Found::Newer(_) => panic!("the file is there, and ours"),
    }
}

#[test]
fn a_slot_has_the_bytes_of_version_1() {
    let bytes = encode(SlotKind::Synced, 3, &slot(5));
    let hex: String = bytes[..56].iter().chain(&bytes[CRC_AT..]).map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, GOLDEN);
    assert!(bytes[56..CRC_AT].iter().all(|byte| *byte == 0));
    assert_eq!(decode(&bytes, SlotKind::Synced), Decoded::Valid((3, slot(5))));
    assert_eq!(decode(&bytes, SlotKind::Start), Decoded::Damaged, "another kind");
}

#[test]
fn the_newest_whole_slot_counts() {
    let storage = SimStorage::default();
    let mut file = create(&storage, "synced", SlotKind::Synced, slot(1)).unwrap();
    for a in 2..6 {
        file.write(slot(a)).unwrap();
        assert_eq!(found(&storage), Some(a));
    }
    // Two turns made the file and four followed: the last is in the second slot.
    storage.flip("synced", SLOT_BYTES + 40, 0);
    assert_eq!(found(&storage), Some(4), "the one before it");
    storage.flip("synced", 40, 0);
    assert_eq!(found(&storage), None);
}

#[test]
fn both_slots_are_equal_where_it_matters() {
    let storage = SimStorage::default();
    let mut file = create(&storage, "synced", SlotKind::Synced, slot(1)).unwrap();
    file.write_both(slot(2)).unwrap();
    for damaged in [0, SLOT_BYTES] {
        storage.flip("synced", damaged + 3, 0);
        assert_eq!(found(&storage), Some(2));
        storage.flip("synced", damaged + 3, 0);
    }
}

#[test]
fn a_write_that_fails_leaves_the_other_slot_alone() {
    let disk = SimStorage::default();
    let (storage, faults) = FaultyStorage::new(disk.clone());
    let mut file = create(&storage, "synced", SlotKind::Synced, slot(1)).unwrap();
    faults.full.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        file.write(slot(2)).unwrap_err();
        assert_eq!(found(&disk), Some(1));
    }
    faults.full.store(false, Ordering::SeqCst);
    file.write(slot(2)).unwrap();
    assert_eq!(found(&disk), Some(2));
}

const GOLDEN: &str = concat!(
    "434f5252414c535901000200000000000300000000000000a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a10500000000000000",
    "060000000000000009233289",
);
