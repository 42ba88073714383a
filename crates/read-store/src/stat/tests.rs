//! Aggregates: NaN, goals, and merging in any cut.

use super::*;

fn fold(points: &[(i64, f64)]) -> SeriesStat {
    let mut stat = SeriesStat::default();
    for (i, &(step, value)) in points.iter().enumerate() {
        stat.add(Arrival { step, time_us: 0, appended_us: i as i64, value: Value::F64(value) });
    }
    stat
}

#[test]
fn nan_is_counted_and_skipped_but_is_a_last_value() {
    let stat = fold(&[(0, f64::NAN), (1, 2.0), (3, -1.0), (2, f64::INFINITY), (3, f64::NAN)]);
    assert_eq!((stat.count, stat.nan_count, stat.min, stat.max), (5, 2, -1.0, f64::INFINITY));
    assert_eq!((stat.min_step, stat.max_step, stat.last_step), (0, 3, 3));
    assert_eq!(stat.last(), Some(Value::F64(f64::NAN)), "the later arrival of step 3");
    assert_eq!(fold(&[(0, f64::NAN)]).figure(SummaryRule::Min, Goal::Unspecified), None);
    assert_eq!(fold(&[]).figure(SummaryRule::Last, Goal::Unspecified), None);
}

#[test]
fn best_follows_the_goal() {
    let stat = fold(&[(0, 3.0), (1, 1.0), (2, 2.0)]);
    let best = |goal| stat.figure(SummaryRule::Best, goal);
    assert_eq!(best(Goal::Minimize), Some(Value::F64(1.0)));
    assert_eq!(best(Goal::Maximize), Some(Value::F64(3.0)));
    assert_eq!(best(Goal::Unspecified), Some(Value::F64(2.0)));
    assert_eq!(stat.figure(SummaryRule::Mean, Goal::Unspecified), Some(Value::F64(2.0)));
}

#[test]
fn merging_two_halves_is_folding_the_whole_where_the_halves_follow_each_other() {
    let points = [(5, 1.5), (1, f64::NAN), (5, -2.0), (4, 8.0), (9, 0.5), (2, -0.0)];
    for cut in 0..=points.len() {
        let mut left = fold(&points[..cut]);
        let mut right = SeriesStat::default();
        for (i, &(step, value)) in points.iter().enumerate().skip(cut) {
            right.add(Arrival { step, time_us: 0, appended_us: i as i64, value: Value::F64(value) });
        }
        left.merge(&right);
        assert_eq!(left, fold(&points), "cut at {cut}");
    }
}

#[test]
fn a_column_adds_as_its_rows_do() {
    let le = |values: &[f64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let steps: [i64; 7] = [3, -9, 8, 8, 2, i64::MAX, i64::MIN];
    let words = |list: &[i64]| bytes::Bytes::from(list.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
    let columns = [
        (ColumnType::F64, le(&[f64::NAN, 1.5, f64::NEG_INFINITY, f64::NAN, -0.0, 0.0, 7.25])),
        (ColumnType::U64, (0..7_u64).flat_map(|v| (u64::MAX - v * 3).to_le_bytes()).collect()),
        (ColumnType::I64, (0..7_i64).flat_map(|v| ((1 << 53) + v - 3).to_le_bytes()).collect()),
        (ColumnType::F32, (0..7).flat_map(|v| (v as f32 * -0.1).to_le_bytes()).collect()),
        (ColumnType::Bool, vec![1, 0, 0, 1, 1, 0, 1]),
    ];
    for (kind, values) in columns {
        let column = Column { metric: 0, kind, values: values.into() };
        let group = StepGroup { rows: 7, steps: words(&steps), times: words(&steps), columns: vec![column.clone()] };
        for (from, to) in [(0, 7), (2, 5), (0, 1), (6, 7)] {
            let (mut by_row, mut by_column) = (fold(&[(4, 0.5)]), fold(&[(4, 0.5)]));
            for empty in [false, true] {
                if empty {
                    (by_row, by_column) = Default::default();
                }
                for row in from..to {
                    let (step, time_us) = (group.step(row), group.time_us(row));
                    by_row.add(Arrival { step, time_us, appended_us: 9, value: column.value(row) });
                }
                let rows = Rows::of(&group, from..to).unwrap();
                by_column.add_column(&group, &column, &rows, 9);
                assert_eq!(by_column, by_row, "{kind:?} {from}..{to}");
            }
        }
    }
    assert!(Rows::of(&StepGroup { rows: 0, steps: words(&[]), times: words(&[]), columns: vec![] }, 0..0).is_none());
}
