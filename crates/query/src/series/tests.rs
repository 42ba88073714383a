//! Whatever was sealed and merged meanwhile, a read answers every point once, in log order.

use corral_domain::Value;
use proptest::prelude::*;

use super::*;
use crate::testing::{ORGANIZATION, PARTITIONS, Record, SMALL, World, run_id};
use crate::{Columns, HistoryQuery};

mod slow;

use slow::SlowStore;

const EVERYTHING: View =
    View { axis: XAxis::Step, started: Micros(0), of_steps: false, min: i64::MIN, max: i64::MAX, as_of: None };

/// All points of a series, as they were read.
fn points_of(series: &SeriesRead, view: &View) -> Points {
    let mut all = Points::default();
    series.for_each(view, true, |points| all.extend(points, 0..points.len())).expect("reads");
    all
}

/// What the plain program says is in the view.
fn expected(logged: &Points, view: &View) -> Points {
    merge::in_view(logged.clone(), view)
}

async fn check_run(world: &World, view: &View) {
    for (id, sim) in &world.runs {
        let takes: std::collections::BTreeSet<Take> = sim.logged.keys().map(|key| key.0).collect();
        for take in takes {
            let mut metrics: Vec<String> =
                sim.logged.keys().filter(|key| key.0 == take).map(|key| key.1.clone()).collect();
            metrics.dedup();
            let select = Select { metrics: &metrics, take: Some(take), label: None, x: None };
            let read = world.engine.0.read_series(ORGANIZATION, id, select, view).await.expect("reads");
            let found: Vec<(String, String, Points)> = read
                .series
                .iter()
                .map(|series| (metrics[series.metric].clone(), series.label.clone(), points_of(series, view)))
                .collect();
            let of_take = sim.logged.iter().filter(|(key, _)| key.0 == take);
            let wanted: Vec<(String, String, Points)> = of_take
                .map(|((_, metric, label), points)| (metric.clone(), label.clone(), expected(points, view)))
                .collect();
            assert_eq!(found, wanted, "run {id}, {take:?}");
            for (series, (_, _, points)) in read.series.iter().zip(&wanted) {
                let range = series.x_range(view).expect("reads");
                let xs = || points.steps.iter().copied();
                let xs_min = if view.axis == XAxis::Step { xs().min().zip(xs().max()) } else { range };
                assert_eq!(range, xs_min);
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Log { run: usize, shape: usize, rows: usize, duplicates: usize, step: i64 },
    Take { run: usize },
    Read { min: i64, max: i64, as_of: Option<usize>, axis: usize },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (0..2_usize, 0..5_usize, 1..40_usize, 0..3_usize, -5..400_i64)
            .prop_map(|(run, shape, rows, duplicates, step)| Act::Log { run, shape, rows, duplicates, step }),
        1 => (0..2_usize).prop_map(|run| Act::Take { run }),
        3 => (-10..300_i64, 0..300_i64, prop::option::of(0..100_usize), 0..3_usize)
            .prop_map(|(min, len, as_of, axis)| Act::Read { min, max: min + len, as_of, axis }),
    ]
}

/// Which metrics a record holds: some rates, some labels, one series of several types.
fn record(shape: usize, (rows, duplicates): (usize, usize), step: i64) -> Record<'static> {
    let (label, metrics): (&str, &[&str]) = match shape {
        0 => ("", &["loss"]),
        1 => ("", &["loss", "acc", "lr"]),
        2 => ("rank1", &["loss"]),
        3 => ("", &["a", "b", "c", "d", "e", "f", "g"]),
        _ => ("", &["mixed"]),
    };
    let value = |row: usize, at: usize| match (shape, row % 4 + at) {
        (4, _) if step % 2 == 0 => Value::U64(u64::MAX - row as u64),
        (_, 3) => Value::F64(f64::NAN),
        _ => Value::F64(step as f64 + row as f64 / 8.0),
    };
    let rows: Vec<(i64, i64, Vec<Value>)> = (0..rows)
        .map(|row| {
            let values = (0..metrics.len()).map(|at| value(row, at)).collect();
            (step + row as i64, 1_000 * (step + row as i64), values)
        })
        .collect();
    let duplicates = duplicates.min(rows.len() - 1);
    Record { label, metrics, rows, duplicates }
}

async fn play(acts: Vec<Act>) {
    let mut world = World::new(SMALL);
    let runs = [run_id("one"), run_id("two")];
    for run in &runs {
        world.open(run).await;
    }
    let mut moments = vec![world.tick()];
    for act in acts {
        match act {
            Act::Log { run, shape, rows, duplicates, step } => {
                world.record(&runs[run], record(shape, (rows, duplicates), step)).await;
                moments.push(world.clock.clock().now());
            }
            Act::Take { run } => world.open(&runs[run]).await,
            Act::Read { min, max, as_of, axis } => {
                let as_of = as_of.map(|at| moments[at % moments.len()]);
                let axis = [XAxis::Step, XAxis::Time, XAxis::RelativeTime][axis];
                let (min, max) = if axis == XAxis::Step { (min, max) } else { (min * 1_000, max * 1_000) };
                check_run(&world, &View { axis, started: Micros(500), of_steps: false, min, max, as_of }).await;
            }
        }
    }
    check_run(&world, &EVERYTHING).await;
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(120) })]

    #[test]
    fn a_read_is_what_was_logged(acts in prop::collection::vec(act(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(play(acts));
    }
}

#[tokio::test]
async fn many_seals_and_merges_keep_every_point_in_order() {
    let mut world = World::new(SMALL);
    let run = run_id("long");
    world.open(&run).await;
    for i in 0..600 {
        let shape = [0, 0, 1, 3, 4][i % 5];
        world.record(&run, record(shape, (1 + i % 37, 0), i as i64 * 7)).await;
    }
    let levels = world.runs[&run].state.levels.len();
    assert!(levels >= 4, "the test reaches {levels} levels only");
    check_run(&world, &EVERYTHING).await;
}

#[tokio::test]
async fn raw_pages_are_the_points_in_order_each_once_while_more_is_logged() {
    let mut world = World::new(SMALL);
    let runs = [run_id("one"), run_id("two")];
    for run in &runs {
        world.open(run).await;
        for i in 0..60 {
            world.record(run, record(i % 4, (1 + i % 9, 0), i as i64 * 9)).await;
        }
    }
    let before: std::collections::BTreeMap<_, _> =
        world.runs.iter().map(|(id, sim)| (id.clone(), sim.logged.clone())).collect();
    let metrics: Vec<String> = ["loss", "acc", "g", "never"].map(str::to_owned).to_vec();
    let mut query = HistoryQuery { runs: runs.to_vec(), metrics, points_max: 50, ..HistoryQuery::default() };
    let mut found: std::collections::BTreeMap<_, Points> = std::collections::BTreeMap::new();
    let mut pages = 0;
    loop {
        let answer = world.engine.history(ORGANIZATION, &query).await.expect("answers");
        let rows: usize = answer.series.iter().map(|series| series.columns.rows()).sum();
        assert!(rows <= 50 && (rows == 50 || answer.next_page_token.is_empty()));
        for series in answer.series {
            let Columns::Raw(points) = series.columns else { panic!("raw points were asked for") };
            let key = (series.run, series.take, series.metric, series.label);
            found.entry(key).or_default().extend(&points, 0..points.len());
        }
        pages += 1;
        if answer.next_page_token.is_empty() {
            break;
        }
        query.page_token = answer.next_page_token;
        // Concurrent writes: seals and merges go on between the pages.
        for run in &runs {
            world.record(run, record(pages % 4, (20, 0), 5_000 + pages as i64 * 50)).await;
        }
    }
    assert!(pages > 5, "{pages} pages");
    for ((run, take, metric, label), points) in &found {
        let first = &before[run][&(*take, metric.clone(), label.clone())];
        assert_eq!(points.slice(0..first.len()), *first, "{run} {metric} {label}");
        let all = &world.runs[run].logged[&(*take, metric.clone(), label.clone())];
        assert_eq!(*points, all.slice(0..points.len()));
    }
    assert_eq!(found.len(), 8, "loss has two labels, acc and g one, in two runs");
    assert_eq!(PARTITIONS, 4);
}

#[tokio::test]
async fn another_tenants_run_is_not_found() {
    let mut world = World::new(SMALL);
    let run = run_id("one");
    world.open(&run).await;
    world.log(&run, "loss", &[(1, 2.0)]).await;
    let other = OrganizationId::from_bytes([9; 16]);
    let query = HistoryQuery { runs: vec![run], metrics: vec!["loss".to_owned()], ..HistoryQuery::default() };
    let refused = world.engine.history(other, &query).await;
    assert!(matches!(refused, Err(QueryError::NotFound { what: "run", .. })), "{refused:?}");
}

/// Reads while the run is sealed and merged under it: every one is what was there after some record.
async fn read_while_writing(seed: u64) -> (usize, usize) {
    let mut world = World::with_store(SMALL, |store| SlowStore::wrap(store, seed));
    let run = run_id("one");
    world.open(&run).await;
    world.record(&run, record(3, (3, 0), 0)).await;
    let engine = world.engine.clone();
    let metrics: Vec<String> = ["a", "b", "loss", "acc"].map(str::to_owned).to_vec();
    let done = std::cell::Cell::new(false);
    let mut cuts: Vec<std::collections::BTreeMap<(String, String), usize>> = Vec::new();
    let write = async {
        for i in 0..=250_usize {
            let of = world.runs[&run].logged.iter();
            cuts.push(of.map(|((_, metric, label), points)| ((metric.clone(), label.clone()), points.len())).collect());
            if i < 250 {
                let shape = [0, 1, 2, 3][i % 4];
                world.record(&run, record(shape, (1 + (i * 7 + seed as usize) % 31, 0), i as i64)).await;
                // A read takes a few records' time: some see a seal go by, some two.
                for _ in 0..120 {
                    tokio::task::yield_now().await;
                }
            }
        }
        done.set(true);
    };
    let read = async {
        let (mut reads, mut starved) = (Vec::new(), 0);
        while !done.get() {
            let select = Select { metrics: &metrics, take: Some(Take(1)), label: None, x: None };
            match engine.0.read_series(ORGANIZATION, &run_id("one"), select, &EVERYTHING).await {
                Ok(read) => reads.push(read.series),
                Err(error) if error.is_retryable() => starved += 1,
                Err(error) => panic!("{error}"),
            }
        }
        (reads, starved)
    };
    let ((), (reads, starved)) = tokio::join!(write, read);
    let logged = &world.runs[&run].logged;
    for series in &reads {
        let mut found = std::collections::BTreeMap::new();
        for one in series {
            let points = points_of(one, &EVERYTHING);
            let key = (metrics[one.metric].clone(), one.label.clone());
            let all = &logged[&(Take(1), key.0.clone(), key.1.clone())];
            assert_eq!(points, all.slice(0..points.len()), "seed {seed}: {key:?} is not what was logged, in order");
            found.insert(key, points.len());
        }
        let cut =
            cuts.iter().find(|cut| found.iter().all(|(key, points)| cut.get(key).copied().unwrap_or(0) == *points));
        assert!(cut.is_some(), "seed {seed}: {found:?} was never there");
    }
    (reads.len(), starved)
}

#[tokio::test]
async fn a_read_under_seals_and_merges_is_a_moment_of_the_run() {
    let mut reads = 0;
    for seed in 0..25 {
        reads += read_while_writing(seed * 0x9e37_79b9 + 1).await.0;
    }
    assert!(reads > 500, "{reads} reads");
}
