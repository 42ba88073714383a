//! Buckets against a program that knows nothing of them: every point counted once, in the right place.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Brute force: all points of each bucket, then each figure by its definition.
fn expected(points: &[(i64, f64)], width: Width) -> BucketColumns {
    let mut all: BTreeMap<i64, Vec<(i64, f64)>> = BTreeMap::new();
    for (x, value) in points {
        let index = i128::from(*x).div_euclid(i128::from(width.get())) as i64;
        all.entry(index).or_default().push((*x, *value));
    }
    let mut columns = BucketColumns { width: width.get(), ..BucketColumns::default() };
    for (index, points) in all {
        let numbers: Vec<(i64, f64)> = points.iter().copied().filter(|(_, v)| !v.is_nan()).collect();
        let odd: Vec<(i64, f64)> = points.iter().copied().filter(|(_, v)| !v.is_finite()).collect();
        let top = numbers.iter().map(|(x, _)| *x).max();
        let low = odd.iter().map(|(x, _)| *x).min();
        columns.index.push(index);
        columns.count.push(points.len() as u32);
        columns.min.push(numbers.iter().map(|p| p.1).reduce(|a, b| if b < a { b } else { a }).unwrap_or(f64::NAN));
        columns.max.push(numbers.iter().map(|p| p.1).reduce(|a, b| if b > a { b } else { a }).unwrap_or(f64::NAN));
        let sum: f64 = numbers.iter().fold(0.0, |sum, p| sum + p.1);
        columns.mean.push(if numbers.is_empty() { f64::NAN } else { sum / numbers.len() as f64 });
        columns.last.push(numbers.iter().rfind(|p| Some(p.0) == top).map_or(f64::NAN, |p| p.1));
        columns.nan_count.push((points.len() - numbers.len()) as u32);
        columns.first_non_finite.push(odd.iter().find(|p| Some(p.0) == low).map_or(0.0, |p| p.1));
    }
    columns
}

fn bits(columns: &BucketColumns) -> Vec<Vec<u64>> {
    let floats = [&columns.min, &columns.max, &columns.mean, &columns.last, &columns.first_non_finite];
    let mut rows: Vec<Vec<u64>> = floats.iter().map(|list| list.iter().map(|v| v.to_bits()).collect()).collect();
    rows.push(columns.index.iter().map(|v| *v as u64).collect());
    rows.push(columns.count.iter().chain(&columns.nan_count).map(|v| u64::from(*v)).collect());
    rows.push(vec![columns.width]);
    rows
}

fn of_units(exponent: i32) -> Width {
    Width { exponent, values: false }
}

fn folded(points: &[(i64, f64)], width: Width) -> Buckets {
    let mut buckets = Buckets::new(width);
    points.iter().for_each(|(x, value)| buckets.add(*x, *value));
    buckets
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -1e6..1e6_f64,
        1 => Just(f64::NAN),
        1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0), Just(0.0)],
    ]
}

fn any_x() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -50..500_i64, 1 => any::<i64>(), 1 => Just(i64::MIN), 1 => Just(i64::MAX)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn buckets_are_what_brute_force_says(
        points in prop::collection::vec((any_x(), any_value()), 0..200),
        exponent in 0_i32..64,
    ) {
        let width = of_units(exponent);
        let buckets = folded(&points, width);
        prop_assert_eq!(bits(&buckets.columns(None)), bits(&expected(&points, width)));
    }

    #[test]
    fn a_range_is_covered_by_the_smallest_width_that_fits(a in any_x(), b in any_x(), count in 1_u32..2_001) {
        let (min, max) = (a.min(b), a.max(b));
        let width = Width::covering(min, max, count);
        let touched = |width: Width| i128::from(max).div_euclid(i128::from(width.get()))
            - i128::from(min).div_euclid(i128::from(width.get())) + 1;
        prop_assert!(touched(width) <= i128::from(count.max(2)));
        if width.exponent > 0 {
            prop_assert!(touched(of_units(width.exponent - 1)) > i128::from(count));
        }
    }

    #[test]
    fn folding_in_pieces_is_folding_at_once(
        points in prop::collection::vec((-100..1_000_i64, any_value()), 1..100),
        cut in any::<prop::sample::Index>(),
    ) {
        let cut = cut.index(points.len());
        let mut buckets = folded(&points[..cut], of_units(4));
        let (xs, values): (Vec<i64>, Vec<f64>) = points[cut..].iter().copied().unzip();
        buckets.fold(&xs, &Values::F64(values));
        prop_assert_eq!(bits(&buckets.columns(None)), bits(&folded(&points, of_units(4)).columns(None)));
    }
}

#[test]
fn one_spike_in_ten_thousand_points_is_in_a_bucket_at_every_width() {
    let points: Vec<(i64, f64)> = (0..10_000).map(|x| (x, if x == 7_321 { 99.0 } else { 0.25 })).collect();
    for exponent in 0..64 {
        let columns = folded(&points, of_units(exponent)).columns(None);
        let spikes: Vec<i64> =
            columns.index.iter().zip(&columns.max).filter(|(_, max)| **max == 99.0).map(|(index, _)| *index).collect();
        assert_eq!(spikes, [7_321 >> exponent], "at width 2^{exponent}");
        assert_eq!(columns.count.iter().sum::<u32>(), 10_000);
    }
}

#[test]
fn the_whole_range_of_steps_has_two_buckets_at_the_widest() {
    let width = Width::covering(i64::MIN, i64::MAX, 1);
    assert_eq!((width.get(), width.index(i64::MIN), width.index(-1), width.index(i64::MAX)), (1 << 63, -1, -1, 0));
    assert_eq!(Width::covering(i64::MIN, i64::MAX, 2_000).get(), 1 << 54);
    assert_eq!(Width::covering(5, 5, 1).get(), 1);
    assert_eq!(Width::covering(0, 9_999, 1_000).get(), 16);
}

#[test]
fn integers_beyond_a_float_round_and_keep_their_order() {
    let mut buckets = Buckets::new(of_units(3));
    buckets.fold(&[0, 1], &Values::U64(vec![u64::MAX, 1]));
    buckets.fold(&[2], &Values::Bool(vec![true]));
    let columns = buckets.columns(None);
    assert_eq!((columns.max[0], columns.min[0], columns.last[0]), (u64::MAX as f64, 1.0, 1.0));
}

fn any_double() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -5.0..50.0_f64,
        2 => (-40..40_i32).prop_map(f64::from),
        1 => any::<f64>().prop_filter("finite", |x| x.is_finite()),
        1 => prop_oneof![Just(-0.0), Just(5e-324), Just(-5e-324), Just(f64::MAX), Just(f64::MIN), Just(1.7e9 + 0.25)],
    ]
}

proptest! {
    #[test]
    fn places_are_in_the_order_of_their_doubles(a in any_double(), b in any_double()) {
        let (at_a, at_b) = (Place::of(a).expect("finite"), Place::of(b).expect("finite"));
        prop_assert_eq!(at_a.x(), a);
        prop_assert_eq!(a.partial_cmp(&b), Some(at_a.cmp(&at_b)));
    }

    #[test]
    fn values_lie_in_their_bucket_and_the_width_is_the_narrowest(
        xs in prop::collection::vec(any_double(), 1..40),
        count in prop_oneof![2..20_u32, Just(2_000)],
    ) {
        let places: Vec<i64> = xs.iter().map(|x| Place::of(*x).expect("finite").0).collect();
        let (min, max) = (*places.iter().min().expect("one"), *places.iter().max().expect("one"));
        let width = Width::covering_values(min, max, count);
        let step = width.of_values().expect("of values");
        prop_assert_eq!(step.log2().fract(), 0.0);
        let mut buckets = Buckets::new(width);
        places.iter().for_each(|place| buckets.add(*place, 1.0));
        let columns = buckets.columns(None);
        // Beyond 2^1022 a double cannot hold a width that two buckets would need.
        let most = if xs.iter().all(|x| x.abs() < 2_f64.powi(1_022)) { count as usize } else { count.max(4) as usize };
        prop_assert!(columns.index.len() <= most && columns.index.is_sorted());
        for (at, place) in places.iter().enumerate() {
            let index = width.index(*place);
            let row = columns.index.binary_search(&index).expect("its bucket");
            prop_assert!(columns.x[row] >= xs[at] || xs[at] == 0.0);
            if step.is_normal() && (index as f64 * step).is_finite() && ((index + 1) as f64 * step).is_finite() {
                prop_assert!(index as f64 * step <= xs[at] && xs[at] < (index + 1) as f64 * step, "{index} {step} {}", xs[at]);
            }
        }
        prop_assert_eq!(columns.count.iter().sum::<u32>() as usize, xs.len());
        prop_assert!(columns.index.iter().all(|index| index.unsigned_abs() <= 1 << 53));
    }
}
