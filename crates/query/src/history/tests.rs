//! Buckets of a whole read equal brute force over what was logged; every bad field is refused by its name.

use corral_domain::{Micros, Value};
use proptest::prelude::*;

use super::*;
use crate::bucket::Width;
use crate::testing::{ORGANIZATION, Record, SMALL, World, run_id};
use crate::{Freshness, RunQuery};

fn ask(run: &RunId, buckets: u32) -> HistoryQuery {
    HistoryQuery { runs: vec![run.clone()], metrics: vec!["loss".to_owned()], buckets, ..HistoryQuery::default() }
}

async fn logged(records: &[(i64, usize)]) -> (World, RunId) {
    let mut world = World::new(SMALL);
    let run = run_id("one");
    world.open(&run).await;
    for (step, rows) in records {
        let value = |i: i64| if i % 13 == 5 { f64::NAN } else { (i * 37 % 101) as f64 };
        let rows = (0..*rows as i64).map(|i| (step + i, 500 * (step - i), vec![Value::F64(value(step + i))])).collect();
        world.record(&run, Record { label: "", metrics: &["loss"], rows, duplicates: 0 }).await;
    }
    (world, run)
}

/// The buckets of one series, folded here from what the plain program wrote down.
fn brute(points: &[(i64, f64)], count: u32) -> Option<crate::BucketColumns> {
    let (min, max) = (points.iter().map(|p| p.0).min()?, points.iter().map(|p| p.0).max()?);
    let mut buckets = Buckets::new(Width::covering(min, max, count));
    points.iter().for_each(|(x, value)| buckets.add(*x, *value));
    Some(buckets.columns(None))
}

fn same(a: &crate::BucketColumns, b: &crate::BucketColumns) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn buckets_of_a_read_are_those_of_what_was_logged(
        records in prop::collection::vec((-50..3_000_i64, 1..40_usize), 1..50),
        count in prop_oneof![1..20_u32, Just(300), Just(2_000)],
        window in prop::option::of((-60..3_000_i64, 0..2_000_i64)),
        moment in prop::option::of(0..60_i64),
        time in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (world, run) = runtime.block_on(logged(&records));
        let mut query = ask(&run, count);
        query.axis = if time { XAxis::Time } else { XAxis::Step };
        (query.x_min, query.x_max) = (window.map(|w| w.0), window.map(|w| w.0 + w.1));
        let as_of = moment.map(|moment| Micros(crate::testing::START.0 + 10 + 10 * moment));
        query.freshness = Freshness { as_of, ..Freshness::default() };
        let answer = runtime.block_on(world.engine.history(ORGANIZATION, &query)).expect("answers");
        let points = &world.runs[&run].logged[&(Take(1), "loss".to_owned(), String::new())];
        let xs = if time { &points.times_us } else { &points.steps };
        let inside = |i: &usize| {
            query.x_min.is_none_or(|min| xs[*i] >= min)
                && query.x_max.is_none_or(|max| xs[*i] <= max)
                && as_of.is_none_or(|as_of| points.appended_us[*i] <= as_of.0)
        };
        let chosen: Vec<(i64, f64)> =
            (0..points.len()).filter(inside).map(|i| (xs[i], points.values.get(i).as_f64())).collect();
        match (brute(&chosen, count), answer.series.first().map(|series| &series.columns)) {
            (None, None) => {}
            (Some(expect), Some(Columns::Buckets(found))) => {
                prop_assert!(same(&expect, found), "{expect:?}\n{found:?}");
                prop_assert!(found.index.len() <= count.max(2) as usize);
            }
            (expect, found) => prop_assert!(false, "{expect:?}\n{found:?}"),
        }
    }
}

/// The x of points by the rule, in the plainest words; `None`: left out.
fn joined(points: &corral_read_store::piece::Points, x: &corral_read_store::piece::Points) -> Vec<Option<f64>> {
    let at = |of: &corral_read_store::piece::Points, i: usize| (of.appended_us[i], of.times_us[i]);
    let x_of = |i: usize| {
        let same = (0..x.len()).filter(|k| x.steps[*k] == points.steps[i] && at(x, *k) <= at(points, i));
        let last = same.max_by_key(|k| (at(x, *k), *k))?;
        Some(x.values.get(last).as_f64()).filter(|x| x.is_finite())
    };
    (0..points.len()).map(x_of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn a_metric_as_x_is_joined_by_the_rule(
        records in prop::collection::vec((0..3_usize, -5..60_i64, 1..12_usize), 1..60),
        count in prop_oneof![Just(0_u32), Just(7), Just(2_000)],
        window in prop::option::of((-2.0..20.0_f64, 0.0..9.0_f64)),
        moment in prop::option::of(0..60_i64),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (world, run) = runtime.block_on(async {
            let (mut world, run) = (World::new(SMALL), run_id("one"));
            world.open(&run).await;
            for (number, (kind, step, rows)) in (0_i64..).zip(&records) {
                let metrics: &[&str] = [&["loss"][..], &["epoch"], &["epoch", "loss"]][*kind];
                // Steps come again, epochs fall and are no number now and then.
                let epoch = |i: i64| [f64::from((number * 7 + i * 3) as i32 % 40) / 4.0, f64::NAN][usize::from(i % 9 == 8)];
                let values = |i: i64| [epoch(i), i as f64][..].iter().rev().take(metrics.len()).rev().map(|v| Value::F64(*v)).collect();
                let rows = (0..*rows as i64).map(|i| (step + i, i, values(i))).collect();
                world.record(&run, Record { label: "", metrics, rows, duplicates: 0 }).await;
            }
            (world, run)
        });
        let as_of = moment.map(|moment| Micros(crate::testing::START.0 + 10 + 10 * moment));
        let query = HistoryQuery {
            freshness: Freshness { as_of, ..Freshness::default() },
            axis: XAxis::Metric,
            x_metric: "epoch".to_owned(),
            x_value_min: window.map(|w| w.0),
            x_value_max: window.map(|w| w.0 + w.1),
            ..ask(&run, count)
        };
        let answer = runtime.block_on(world.engine.history(ORGANIZATION, &query)).expect("answers");
        let logged = |metric: &str| {
            world.runs[&run].logged.get(&(Take(1), metric.to_owned(), String::new())).cloned().unwrap_or_default()
        };
        let (loss, epoch) = (logged("loss"), logged("epoch"));
        let xs = joined(&loss, &epoch);
        let shown: Vec<usize> =
            (0..loss.len()).filter(|i| as_of.is_none_or(|as_of| loss.appended_us[*i] <= as_of.0)).collect();
        let without = shown.iter().filter(|i| xs[**i].is_none()).count() as u64;
        let placed: Vec<(f64, usize)> = shown.iter().filter_map(|i| Some((xs[*i]?, *i))).collect();
        let inside = |x: f64| window.is_none_or(|w| x >= w.0 && x <= w.0 + w.1);
        let placed: Vec<(f64, usize)> = placed.into_iter().filter(|(x, _)| inside(*x)).collect();
        let Some(series) = answer.series.first() else {
            prop_assert!(placed.is_empty() && without == 0);
            return Ok(());
        };
        prop_assert_eq!((&*series.x_metric, series.without_x), ("epoch", without));
        match &series.columns {
            Columns::Raw(points) => {
                prop_assert_eq!(&series.x, &placed.iter().map(|p| p.0).collect::<Vec<_>>());
                prop_assert_eq!(&points.steps, &placed.iter().map(|p| loss.steps[p.1]).collect::<Vec<_>>());
            }
            Columns::Buckets(found) => {
                prop_assert_eq!(found.count.iter().sum::<u32>() as usize, placed.len());
                let mut expect: Vec<(i64, f64, u32, f64)> = Vec::new();
                for (x, i) in &placed {
                    let (index, value) = ((x / found.x_width).floor() as i64, loss.values.get(*i).as_f64());
                    match expect.iter_mut().find(|bucket| bucket.0 == index) {
                        Some(bucket) if *x >= bucket.1 => *bucket = (index, *x, bucket.2 + 1, value),
                        Some(bucket) => bucket.2 += 1,
                        None => expect.push((index, *x, 1, value)),
                    }
                }
                expect.sort_by_key(|bucket| bucket.0);
                let found: Vec<_> =
                    (0..found.index.len()).map(|i| (found.index[i], found.x[i], found.count[i], found.last[i])).collect();
                prop_assert_eq!(found, expect);
            }
        }
    }
}

#[tokio::test]
async fn the_defined_axis_is_each_metrics_own() {
    let (mut world, run) = (World::new(SMALL), run_id("one"));
    world.open(&run).await;
    world.define(&run, "val/*", "epoch").await;
    world.define(&run, "test/*", "never logged").await;
    let rows = |from: i64| {
        (from..from + 3).map(|i| (i, 0, [i as f64 / 4.0, 1.0, 2.0, 3.0].map(Value::F64).to_vec())).collect()
    };
    let metrics: &[&str] = &["epoch", "val/acc", "test/acc", "loss"];
    world.record(&run, Record { label: "", metrics, rows: rows(10), duplicates: 0 }).await;
    let query = HistoryQuery {
        metrics: metrics.iter().map(|name| (*name).to_owned()).collect(),
        axis: XAxis::Defined,
        ..ask(&run, 100)
    };
    let answer = world.engine.history(ORGANIZATION, &query).await.expect("answers");
    let axes: Vec<_> = answer.series.iter().map(|series| (&*series.metric, &*series.x_metric)).collect();
    assert_eq!(axes, [("epoch", ""), ("val/acc", "epoch"), ("test/acc", ""), ("loss", "")]);
    let Columns::Buckets(buckets) = &answer.series[1].columns else { panic!("buckets were asked for") };
    assert_eq!((&buckets.x, buckets.width), (&vec![2.5, 2.75, 3.0], 0));
    let Columns::Buckets(buckets) = &answer.series[3].columns else { panic!("buckets were asked for") };
    assert_eq!((buckets.index.clone(), buckets.width, buckets.x.len()), (vec![10, 11, 12], 1, 0));
}

#[tokio::test]
async fn a_point_without_a_refined_step_stands_at_its_step() {
    let (mut world, run) = (World::new(SMALL), run_id("one"));
    world.open(&run).await;
    world.define(&run, "*", "step").await;
    world.log(&run, "loss", &[(0, 1.0)]).await;
    let metrics: &[&str] = &["loss", "step"];
    let rows = vec![(1, 0, [2.0, 0.5].map(Value::F64).to_vec()), (1, 1, [3.0, 1.0].map(Value::F64).to_vec())];
    world.record(&run, Record { label: "", metrics, rows, duplicates: 0 }).await;
    let query = HistoryQuery { axis: XAxis::Defined, ..ask(&run, 100) };
    let answer = world.engine.history(ORGANIZATION, &query).await.expect("answers");
    let Columns::Buckets(buckets) = &answer.series[0].columns else { panic!("buckets were asked for") };
    assert_eq!((&buckets.x, &buckets.last), (&vec![0.0, 0.5, 1.0], &vec![1.0, 2.0, 3.0]));
    assert_eq!((&*answer.series[0].x_metric, answer.series[0].without_x), ("step", 0));
}

#[tokio::test]
async fn relative_time_counts_from_the_first_point_of_a_run_that_was_created_late() {
    let (mut world, run) = (World::new(SMALL), run_id("one"));
    world.open(&run).await;
    let early = crate::testing::START.0 - 7_200_000_000;
    let rows = (0..3).map(|i| (i, early + i, vec![Value::F64(0.5)])).collect();
    world.record(&run, Record { label: "", metrics: &["loss"], rows, duplicates: 0 }).await;
    let query = HistoryQuery { axis: XAxis::RelativeTime, ..ask(&run, 100) };
    let answer = world.engine.history(ORGANIZATION, &query).await.expect("answers");
    let Columns::Buckets(buckets) = &answer.series[0].columns else { panic!("buckets were asked for") };
    assert_eq!((&buckets.index, buckets.width), (&vec![0, 1, 2], 1));
    let answer =
        world.engine.run(ORGANIZATION, &RunQuery { freshness: Freshness::default(), run }).await.expect("answers");
    assert_eq!((answer.run.started.0, answer.run.created > answer.run.started), (early, true));
}

#[tokio::test]
async fn one_spike_in_ten_thousand_points_is_in_the_answer_at_every_zoom() {
    let mut world = World::new(crate::testing::Scale { seal_points: 3_000, chunk: 512, sets: 3 });
    let run = run_id("one");
    world.open(&run).await;
    for from in (0..10_000_i64).step_by(100) {
        let rows: Vec<(i64, f64)> = (from..from + 100).map(|x| (x, if x == 4_567 { 1e9 } else { 0.5 })).collect();
        world.log(&run, "loss", &rows).await;
    }
    for count in [1, 2, 3, 10, 64, 500, 1_000, 2_000] {
        for half in [50, 700, 10_000] {
            let mut query = ask(&run, count);
            (query.x_min, query.x_max) = (Some(4_567 - half), Some(4_567 + half));
            let answer = world.engine.history(ORGANIZATION, &query).await.expect("answers");
            let Columns::Buckets(buckets) = &answer.series[0].columns else { panic!("buckets were asked for") };
            assert_eq!(buckets.max.iter().filter(|max| **max == 1e9).count(), 1, "{count} buckets, +- {half}");
        }
    }
}

#[tokio::test]
async fn every_bad_field_is_refused_by_its_name() {
    let (world, run) = logged(&[(0, 5)]).await;
    let good = ask(&run, 10);
    let raw = ask(&run, 0);
    let by_metric = HistoryQuery { axis: XAxis::Metric, x_metric: "loss".to_owned(), ..good.clone() };
    let many = |count: usize| (0..count).map(|i| format!("m{i}")).collect::<Vec<_>>();
    let cases = [
        ("run_ids", HistoryQuery { runs: vec![], ..good.clone() }),
        ("run_ids", HistoryQuery { runs: vec![run.clone(), run.clone()], ..good.clone() }),
        ("metrics", HistoryQuery { metrics: vec![], ..good.clone() }),
        ("metrics", HistoryQuery { metrics: many(ANSWER_SERIES_MAX + 1), ..good.clone() }),
        ("metrics", HistoryQuery { metrics: vec!["a".to_owned(), "a".to_owned()], ..good.clone() }),
        ("metrics", HistoryQuery { metrics: vec!["x".repeat(NAME_BYTES_MAX + 1)], ..good.clone() }),
        ("metrics", HistoryQuery { metrics: vec![String::new()], ..good.clone() }),
        ("buckets", HistoryQuery { buckets: BUCKETS_MAX + 1, ..good.clone() }),
        ("x_min", HistoryQuery { x_min: Some(2), x_max: Some(1), ..good.clone() }),
        ("x_metric", HistoryQuery { axis: XAxis::Metric, ..good.clone() }),
        ("x_metric", HistoryQuery { axis: XAxis::Metric, x_metric: "x".repeat(NAME_BYTES_MAX + 1), ..good.clone() }),
        ("x_metric", HistoryQuery { x_metric: "loss".to_owned(), ..good.clone() }),
        ("x_min", HistoryQuery { axis: XAxis::Metric, x_metric: "a".to_owned(), x_min: Some(2), ..good.clone() }),
        ("x_max", HistoryQuery { axis: XAxis::Defined, x_max: Some(2), ..good.clone() }),
        ("x_value_min", HistoryQuery { x_value_min: Some(2.0), ..good.clone() }),
        ("x_value_max", HistoryQuery { axis: XAxis::Defined, x_value_max: Some(2.0), ..good.clone() }),
        ("x_value_min", HistoryQuery { x_value_min: Some(2.0), x_value_max: Some(1.0), ..by_metric.clone() }),
        ("x_value_max", HistoryQuery { x_value_max: Some(f64::NAN), ..by_metric }),
        ("take", HistoryQuery { take: Some(Take(0)), ..good.clone() }),
        ("label", HistoryQuery { label: Some("l".repeat(LABEL_BYTES_MAX + 1)), ..good.clone() }),
        ("points_max", HistoryQuery { points_max: ANSWER_POINTS_MAX as u32 + 1, ..raw.clone() }),
        ("points_max", HistoryQuery { points_max: 1, ..good.clone() }),
        ("page_token", HistoryQuery { page_token: "00".to_owned(), ..good.clone() }),
        ("page_token", HistoryQuery { page_token: "00".to_owned(), ..raw.clone() }),
    ];
    for (name, query) in cases {
        match world.engine.history(ORGANIZATION, &query).await {
            Err(QueryError::Invalid { field, .. } | QueryError::Unsupported { field, .. }) => assert_eq!(field, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    let missing = HistoryQuery { runs: vec![run_id("nobody")], ..good.clone() };
    let refused = world.engine.history(ORGANIZATION, &missing).await;
    assert!(matches!(refused, Err(QueryError::NotFound { what: "run", .. })), "{refused:?}");
    for absent in [
        HistoryQuery { metrics: vec!["never".to_owned()], ..good.clone() },
        HistoryQuery { label: Some("rank7".to_owned()), ..good.clone() },
        HistoryQuery { take: Some(Take(9)), ..good.clone() },
        HistoryQuery { x_min: Some(1_000), ..good },
    ] {
        assert_eq!(world.engine.history(ORGANIZATION, &absent).await.expect("answers").series, []);
    }
}

#[tokio::test]
async fn values_come_back_in_their_bits() {
    let mut world = World::new(SMALL);
    let run = run_id("one");
    world.open(&run).await;
    let values = [
        Value::F64(f64::NAN),
        Value::F64(-0.0),
        Value::F64(f64::NEG_INFINITY),
        Value::F32(f32::INFINITY),
        Value::I64(i64::MIN),
        Value::I64((1 << 53) + 1),
        Value::U64(u64::MAX),
        Value::Bool(true),
    ];
    for round in 0..20_i64 {
        for (at, value) in values.iter().enumerate() {
            let rows = vec![(round * 8 + at as i64, 0, vec![*value])];
            world.record(&run, Record { label: "", metrics: &["loss"], rows, duplicates: 0 }).await;
        }
    }
    let answer = world.engine.history(ORGANIZATION, &ask(&run, 0)).await.expect("answers");
    let Columns::Raw(points) = &answer.series[0].columns else { panic!("raw points were asked for") };
    assert_eq!(points.len(), 160);
    for row in 0..points.len() {
        assert_eq!(points.values.get(row), values[row % 8]);
    }
}

#[tokio::test]
async fn as_of_shows_the_take_that_lived_then() {
    let mut world = World::new(SMALL);
    let run = run_id("one");
    let before = world.tick();
    world.open(&run).await;
    world.log(&run, "loss", &[(1, 1.0)]).await;
    let first = world.tick();
    world.open(&run).await;
    world.log(&run, "loss", &[(1, 7.0)]).await;
    let last = async |as_of: Option<Micros>, take: Option<Take>| {
        let freshness = Freshness { as_of, ..Freshness::default() };
        let query = HistoryQuery { freshness, take, ..ask(&run, 10) };
        let answer = world.engine.history(ORGANIZATION, &query).await.expect("answers");
        answer.series.first().map(|series| match &series.columns {
            Columns::Buckets(buckets) => (series.take.0, buckets.last[0]),
            Columns::Raw(_) => panic!("buckets were asked for"),
        })
    };
    assert_eq!(last(None, None).await, Some((2, 7.0)));
    assert_eq!(last(Some(first), None).await, Some((1, 1.0)));
    assert_eq!(last(None, Some(Take(1))).await, Some((1, 1.0)));
    assert_eq!(last(Some(before), None).await, None);
}
