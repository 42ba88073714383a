//! Every value comes back in its bits, equal points are equal bytes, and no bytes can do harm.

use bytes::Bytes;
use corral_domain::{Column, ColumnType, Micros, StepGroup, Value};
use proptest::prelude::*;

use super::*;

const KINDS: [ColumnType; 5] = [ColumnType::F64, ColumnType::F32, ColumnType::I64, ColumnType::U64, ColumnType::Bool];

/// Values that are hard to keep, then ordinary ones.
fn value(kind: ColumnType, i: usize, seed: u64) -> Value {
    let noise = (seed ^ i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
    match (kind, i % 11) {
        (ColumnType::F64, 0) => Value::F64(f64::NAN),
        (ColumnType::F64, 1) => Value::F64(-0.0),
        (ColumnType::F64, 2) => Value::F64(f64::INFINITY),
        (ColumnType::F64, 3) => Value::F64(f64::NEG_INFINITY),
        // Every other sample holds f32 values only.
        (ColumnType::F64, _) if seed.is_multiple_of(2) => Value::F64(f64::from(noise as f32 / 1e9)),
        (ColumnType::F64, _) => Value::F64(noise as f64 / 1e9),
        (ColumnType::F32, 0) => Value::F32(f32::NAN),
        (ColumnType::F32, 1) => Value::F32(-0.0),
        (ColumnType::F32, 2) => Value::F32(f32::NEG_INFINITY),
        (ColumnType::F32, _) => Value::F32(noise as f32 / 1e9),
        (ColumnType::I64, 0) => Value::I64((1 << 53) + 1),
        (ColumnType::I64, 1) => Value::I64(i64::MIN),
        (ColumnType::I64, 2) => Value::I64(i64::MAX),
        (ColumnType::I64, _) => Value::I64(noise as i64 % 1000),
        (ColumnType::U64, 0) => Value::U64(u64::MAX),
        (ColumnType::U64, 1) => Value::U64((1 << 53) + 1),
        (ColumnType::U64, _) => Value::U64(noise % 1000),
        (ColumnType::Bool, _) => Value::Bool(noise % 2 == 1),
    }
}

fn sample(kinds: &[ColumnType], rows: usize, seed: u64) -> Points {
    let mut points = Points::new(kinds[0]);
    for i in 0..rows {
        let jitter = (seed.wrapping_mul(i as u64 + 7) >> 7) % 2000;
        let time = 1_700_000_000_000_000 + i as i64 * 1_000_000 + jitter as i64;
        points.push(i as i64, time, Micros(time / 5_000_000), value(kinds[i % kinds.len()], i, seed));
    }
    points
}

#[track_caller]
fn check_round_trip(points: &Points) {
    let bytes = encode(points);
    let back = decode(&bytes).expect("decodes");
    assert_eq!(&back, points);
    assert_eq!(encode(&back), bytes, "equal points are equal bytes");
    assert_eq!(header(&bytes).map(bits), Ok(bits(Header::of(points))));
    assert_eq!(count(&bytes), Ok(points.len() as u32));
}

/// NaN equals NaN in its bits.
fn bits(header: Header) -> (Header, u64, u64) {
    let (min, max) = (header.min.to_bits(), header.max.to_bits());
    (Header { min: 0.0, max: 0.0, ..header }, min, max)
}

#[test]
fn every_type_comes_back_in_its_bits_at_every_size() {
    for rows in [0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 95, 96, 127, 128, 500, 4_095, 4_096] {
        for kind in KINDS {
            check_round_trip(&sample(&[kind], rows, 3));
            check_round_trip(&sample(&[kind], rows, 4));
        }
        check_round_trip(&sample(&KINDS, rows, 5));
    }
}

#[test]
fn steps_at_the_ends_of_their_range_come_back() {
    for rows in [3, 100, 300] {
        let mut points = Points::new(ColumnType::F64);
        for i in 0..rows {
            let step = [i64::MIN, i64::MAX, 0, -1][i % 4];
            points.push(step, step, Micros(step), Value::F64(i as f64));
        }
        check_round_trip(&points);
    }
}

#[test]
fn the_figures_skip_nan_and_count_it() {
    let mut points = sample(&[ColumnType::F64], 200, 1);
    points.steps.swap(0, 1);
    let figures = header(&encode(&points)).expect("reads");
    assert_eq!(figures.nan_count, 19);
    assert_eq!((figures.min, figures.max), (f64::NEG_INFINITY, f64::INFINITY));
    assert_eq!((figures.min_step, figures.max_step, figures.steps_rise), (0, 199, false));
    let mut nan = Points::new(ColumnType::F64);
    (0..200).for_each(|i| nan.push(i, i, Micros(i), Value::F64(f64::NAN)));
    assert!(header(&encode(&nan)).is_ok_and(|h| h.nan_count == 200 && h.min.is_nan() && h.max.is_nan()));
}

#[test]
fn a_mixed_column_of_one_type_is_of_that_type() {
    let plain = sample(&[ColumnType::U64], 300, 9);
    let mixed = Points { values: Values::Mixed((0..300).map(|i| plain.values.get(i)).collect()), ..plain.clone() };
    assert_eq!(encode(&plain), encode(&mixed));
}

#[test]
fn one_encoder_and_one_decoder_for_many_pieces_change_nothing() {
    let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
    for (rows, seed) in [(300, 1), (300, 1), (300, 2), (20, 2), (0, 0), (300, 1)] {
        let points = sample(&[ColumnType::F32], rows, seed);
        let bytes = encoder.encode(&points);
        assert_eq!(bytes, encode(&points));
        assert_eq!(decoder.decode(&bytes).as_ref(), Ok(&points));
        let some = decoder.decode_some(&bytes, Wanted::STEPS).expect("decodes");
        assert_eq!((some.steps, some.values), (points.steps.clone(), points.values.clone()));
        assert!(some.times_us.is_empty() && some.appended_us.is_empty());
    }
}

#[test]
fn pieces_are_cut_and_joined_in_log_order() {
    let all = sample(&KINDS, 500, 4);
    let mut rest = all.clone();
    let mut joined = Points::default();
    for rows in [0, 1, 99, 400] {
        let front = rest.split_front(rows);
        joined.extend(&front, 0..front.len());
    }
    assert!(rest.is_empty());
    assert_eq!(joined, all);
    assert_eq!(all.slice(100..200).values.get(0), all.values.get(100));
}

#[test]
fn a_step_group_is_taken_by_its_rows() {
    let le = |list: &[i64]| -> Bytes { list.iter().flat_map(|v| v.to_le_bytes()).collect() };
    let values: Bytes = [1.5_f32, -0.0, f32::INFINITY].iter().flat_map(|v| v.to_le_bytes()).collect();
    let column = Column { metric: 0, kind: ColumnType::F32, values };
    let flags = Column { metric: 1, kind: ColumnType::Bool, values: Bytes::from_static(&[1, 0, 1]) };
    let group = StepGroup { rows: 3, steps: le(&[7, 8, 9]), times: le(&[70, 80, 90]), columns: Vec::new() };
    let mut points = Points::default();
    points.extend_group(&group, &column, 1..3, Micros(5));
    points.extend_group(&group, &flags, 0..1, Micros(6));
    let mut expect = Points::default();
    expect.push(8, 80, Micros(5), Value::F32(-0.0));
    expect.push(9, 90, Micros(5), Value::F32(f32::INFINITY));
    expect.push(7, 70, Micros(6), Value::Bool(true));
    assert_eq!(points, expect);
}

#[test]
fn a_declared_length_allocates_nothing() {
    let mut bytes = encode(&sample(&[ColumnType::F64], 10, 1)).to_vec();
    bytes[3..7].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(decode(&bytes.into()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_points_come_back(
        rows in prop::collection::vec((any::<i64>(), any::<i64>(), any::<i64>(), 1_u8..6, any::<u64>()), 0..300),
        one in prop::option::of(1_u8..6),
    ) {
        let mut points = Points::default();
        for (step, time, appended, kind, bits) in rows {
            let kind = KINDS[usize::from(one.unwrap_or(kind)) - 1];
            points.push(step, time, Micros(appended), Value::from_bits(kind, bits));
        }
        check_round_trip(&points);
    }

    #[test]
    fn any_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = VERSION;
        }
        let bytes = Bytes::from(bytes);
        let (_, _, _) = (decode(&bytes), header(&bytes), count(&bytes));
    }

    #[test]
    fn damaged_pieces_are_refused_or_read(
        rows in 0_usize..400,
        seed in 11_u64..13,
        kind in 0_usize..6,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let kinds = if kind == 5 { &KINDS[..] } else { &KINDS[kind..=kind] };
        let mut bytes = encode(&sample(kinds, rows, seed)).to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            let len = cut.index(bytes.len());
            bytes.truncate(len);
        }
        let bytes = Bytes::from(bytes);
        if let Ok(points) = decode(&bytes) {
            prop_assert!(points.is_consistent());
        }
        let _ = header(&bytes);
    }
}
