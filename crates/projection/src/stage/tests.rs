//! The stage, range by range: what is trimmed, what waits, what a hole lets by.

use super::*;

type Seqs = Vec<(u64, u64)>;

/// (hw, open) after (first, last) and what was kept; `None`: skipped.
fn check(hw: u64, open: &[(u64, u64)], range: (u64, u64), hole: bool) -> Option<(u64, Seqs, Seqs)> {
    match stage(Place { hw, open }, range.0, range.1, hole) {
        Staged::Skip | Staged::Ahead => None,
        Staged::Apply { hw, keep, open } => Some((hw, keep, open)),
    }
}

#[test]
fn items_up_to_hw_are_trimmed_and_a_range_beyond_waits() {
    assert_eq!(check(0, &[], (1, 5), false), Some((5, vec![(1, 5)], vec![])));
    assert_eq!(check(5, &[], (4, 9), false), Some((9, vec![(6, 9)], vec![])));
    assert_eq!(check(5, &[], (1, 5), false), None, "a duplicate");
    assert_eq!(check(5, &[], (2, 3), false), None, "a duplicate inside");
    assert_eq!(check(3, &[], (7, 9), false), None, "4 to 6 were lost and come again");
    assert_eq!(check(3, &[], (4, 4), false), Some((4, vec![(4, 4)], vec![])));
    let end = u64::MAX - 1;
    assert_eq!(check(end, &[], (end, end), false), None);
    assert_eq!(check(end - 1, &[], (1, end), false), Some((end, vec![(end, end)], vec![])));
}

#[test]
fn what_repeats_and_what_does_not_follow_are_told_apart() {
    let place = |hw| Place { hw, open: &[] };
    assert_eq!(stage(place(5), 2, 5, false), Staged::Skip);
    assert_eq!(stage(place(5), 7, 9, false), Staged::Ahead);
}

#[test]
fn behind_a_hole_a_writer_jumps_and_what_it_skipped_applies_once() {
    assert_eq!(check(3, &[], (7, 9), true), Some((9, vec![(7, 9)], vec![(4, 6)])));
    assert_eq!(check(9, &[(4, 6)], (5, 10), true), Some((10, vec![(5, 6), (10, 10)], vec![(4, 4)])));
    assert_eq!(check(10, &[(4, 4)], (5, 10), true), None, "again");
    assert_eq!(check(10, &[(4, 4)], (4, 4), true), Some((10, vec![(4, 4)], vec![])));
    assert_eq!(check(9, &[(4, 6)], (1, 9), false), Some((9, vec![(4, 6)], vec![])));
    assert_eq!(check(9, &[(4, 6)], (12, 13), true), Some((13, vec![(12, 13)], vec![(4, 6), (10, 11)])));
    assert_eq!(check(9, &[(2, 8)], (4, 5), true), Some((9, vec![(4, 5)], vec![(2, 3), (6, 8)])));
}

#[test]
fn jumps_are_bounded() {
    let open: Vec<(u64, u64)> = (0..OPEN_RANGES_COUNT_MAX as u64).map(|i| (i * 3 + 1, i * 3 + 2)).collect();
    let hw = OPEN_RANGES_COUNT_MAX as u64 * 3;
    assert_eq!(check(hw, &open, (hw + 5, hw + 6), true), None, "waits for what is missing");
    assert!(check(hw, &open, (hw + 1, hw + 6), true).is_some());
}

/// Against seq by seq, in sets: every writer's history of a few seqs.
#[test]
fn the_stage_is_the_rule_seq_by_seq() {
    let mut dice = 7_u64;
    let mut roll = |below: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % below
    };
    let mut states = std::collections::BTreeSet::new();
    for _ in 0..2_000 {
        let (mut hw, mut open) = (0, Vec::new());
        let (mut model_hw, mut model_open) = (0, std::collections::BTreeSet::new());
        for _ in 0..12 {
            let first = 1 + roll(14);
            let (last, hole) = (first + roll(5), roll(2) == 0);
            let found = check(hw, &open, (first, last), hole);
            let kept: Vec<u64> = (first..=last).filter(|q| *q > model_hw || model_open.contains(q)).collect();
            let jump = first > model_hw + 1;
            if kept.is_empty() || (jump && !hole) {
                assert_eq!(found, None);
                continue;
            }
            if jump {
                model_open.extend(model_hw + 1..first);
            }
            model_open.retain(|q| !(first..=last).contains(q));
            model_hw = model_hw.max(last);
            let (new_hw, keep, new_open) = found.expect("applies");
            let flat = |ranges: &[(u64, u64)]| ranges.iter().flat_map(|(a, b)| *a..=*b).collect::<Vec<_>>();
            assert_eq!(flat(&keep), kept);
            assert_eq!(flat(&new_open), model_open.iter().copied().collect::<Vec<_>>());
            assert_eq!(new_hw, model_hw);
            (hw, open) = (new_hw, new_open);
            states.insert((hw, open.clone()));
        }
    }
    assert!(states.len() > 100, "{} states", states.len());
}
