//! What merging costs at the real limits, by the rules alone.

use super::*;

/// How many sets a level holds, by the rules alone, at the real limits: records of (points, bytes), spread over `width`
/// series.
fn sets_max(records: impl Iterator<Item = (u64, u64)>, width: u64) -> usize {
    let limits = Limits::default();
    let chunk = limits.chunk_points as u64;
    let (mut levels, mut done): (Vec<Vec<u64>>, Vec<u64>) = (vec![Vec::new()], vec![0]);
    let (mut points, mut count, mut bytes, mut credit, mut max) = (0, 0, 0, 0, 0);
    for (more, len) in records {
        let due = |levels: &[Vec<u64>]| levels.iter().position(|sets| sets.len() >= limits.level_sets);
        let pay = limits.pay(more, len);
        credit = if due(&levels).is_some() { credit + pay } else { 0 };
        if more > 0 {
            (points, count, bytes) = (points + more, count + 1, bytes + len);
        }
        if let Some(level) = due(&levels).filter(|_| credit >= limits.merge_step_points) {
            let all: u64 = levels[level][..limits.level_sets].iter().sum();
            let paid = credit.min(all - done[level]);
            (done[level], credit) = (done[level] + paid, credit - paid);
            if done[level] == all {
                levels[level].drain(..limits.level_sets);
                done[level] = 0;
                if levels.len() == level + 1 {
                    levels.push(Vec::new());
                    done.push(0);
                }
                levels[level + 1].push(width * (all / width % chunk));
            }
        }
        if points >= limits.tail_points_max || count >= limits.tail_records_max || bytes >= limits.tail_bytes_max {
            levels[0].push(if points / width < chunk { points } else { width * (points / width % chunk) });
            (points, count, bytes) = (0, 0, 0);
        }
        max = levels.iter().map(Vec::len).max().unwrap_or_default().max(max);
    }
    max
}

/// Never more than nine: every way of filling a tail, alone and after one another.
#[test]
fn a_level_never_holds_more_than_nine_sets() {
    let full = (65_536, 600_000);
    let thin = (1, 40);
    let fat = (60, 900_000);
    let cases: Vec<(&str, Vec<(u64, u64)>)> = vec![
        ("full seals", vec![full; 2_000]),
        ("thin records", vec![thin; 2_048 * 150]),
        ("fat records", vec![fat; 5 * 2_000]),
        ("full, then fat", [vec![full; 71], vec![fat; 5 * 90]].concat().repeat(3)),
        ("full, then thin", [vec![full; 71], vec![thin; 2_048 * 80]].concat().repeat(2)),
        ("thin, then full", [vec![thin; 2_048 * 40], vec![full; 8]].concat().repeat(4)),
    ];
    for (name, records) in cases {
        for width in [1, 100, 60_000, 100_000] {
            let sets = sets_max(records.iter().copied(), width);
            assert!(sets <= 9, "{name}, {width} series: {sets} sets");
        }
    }
}
