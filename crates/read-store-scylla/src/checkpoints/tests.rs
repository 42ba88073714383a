//! The order of checkpoints.

use super::*;

fn checkpoint(offset: u64, through: i64) -> Checkpoint {
    Checkpoint { offset: Offset(offset), complete_through: Micros(through), ..Checkpoint::default() }
}

#[test]
fn keys_sort_as_checkpoints_do() {
    let mut places = Vec::new();
    for offset in [0, 1, 255, 256, u64::MAX] {
        for through in [i64::MIN, -1, 0, 1, i64::MAX] {
            places.extend([0, 1, 256].map(|turn| Place::of(&checkpoint(offset, through), turn)));
        }
    }
    assert!(places.is_sorted());
    let keys: Vec<_> = places.iter().map(|place| place.encode()).collect();
    assert!(keys.is_sorted());
    for (place, key) in places.iter().zip(&keys) {
        assert_eq!(Place::decode(key).unwrap(), *place);
    }
    for bytes in [&[][..], &[0; 23], &[0; 25], &[0; 32]] {
        assert!(matches!(Place::decode(bytes), Err(StoreError::Damaged(_))), "{bytes:?}");
    }
}

#[test]
fn a_checkpoint_goes_on_or_takes_the_next_turn() {
    let at = |offset, through, turn| Place::of(&checkpoint(offset, through), turn);
    // (new, standing, expected)
    let cases = [
        (checkpoint(5, 50), None, Some(at(5, 50, 0))),
        (checkpoint(5, 51), Some(at(5, 50, 3)), Some(at(5, 51, 0))),
        (checkpoint(6, 0), Some(at(5, 50, 3)), Some(at(6, 0, 0))),
        (checkpoint(5, 50), Some(at(5, 50, 0)), Some(at(5, 50, 1))),
        (checkpoint(5, 50), Some(at(5, 50, 7)), Some(at(5, 50, 8))),
        (checkpoint(5, 49), Some(at(5, 50, 0)), None),
        (checkpoint(4, 99), Some(at(5, 50, 0)), None),
    ];
    for (new, standing, expect) in cases {
        assert_eq!(Place::after(&new, standing), expect, "{new:?} after {standing:?}");
    }
}
