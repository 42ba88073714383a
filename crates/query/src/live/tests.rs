//! What a browser holds after merging every answer is what a fresh question answers.

use std::collections::BTreeMap;

use corral_domain::{RunState, Value};
use proptest::prelude::*;
use tokio::time::timeout;

use super::*;
use crate::answer::{BucketColumns, Columns, Series};
use crate::testing::{ORGANIZATION, PROJECT, Record, SMALL, World, run_id};
use crate::{Freshness, XAxis};

/// One bucket, its floats as bits, and its x where that is a metric's value.
type Row = (u32, [u64; 5], u32, Option<u64>);

/// What a page keeps of one series.
#[derive(Clone, Debug, Default, PartialEq)]
struct Shown {
    run: String,
    metric: String,
    label: String,
    x_metric: String,
    without_x: u64,
    width: (u64, u64),
    buckets: BTreeMap<i64, Row>,
    raw: Vec<(i64, u64, Option<u64>)>,
}

/// A page: merges answers as `session.proto` says.
#[derive(Default)]
struct Page {
    series: BTreeMap<u32, Shown>,
    position: Position,
    answers: usize,
    /// Answers that were merged into what was there.
    merged: usize,
}

fn rows(columns: &BucketColumns) -> BTreeMap<i64, Row> {
    let row = |i: usize| {
        let floats = [columns.min[i], columns.max[i], columns.mean[i], columns.last[i], columns.first_non_finite[i]];
        (columns.count[i], floats.map(f64::to_bits), columns.nan_count[i], columns.x.get(i).map(|x| x.to_bits()))
    };
    (0..columns.index.len()).map(|i| (columns.index[i], row(i))).collect()
}

impl Page {
    fn merge(&mut self, answer: Answer) {
        assert!(answer.position.covers(&self.position), "went back in position");
        self.position = answer.position;
        self.answers += 1;
        self.merged += usize::from(!answer.whole);
        let Body::History(history) = answer.body else { panic!("history was asked for") };
        if answer.whole {
            self.series.clear();
        }
        assert!(answer.whole || !history.series.is_empty(), "sent nothing");
        for series in history.series {
            self.merge_series(series);
        }
    }

    fn merge_series(&mut self, series: Series) {
        assert_eq!(series.known, self.series.contains_key(&series.reference));
        let shown = self.series.entry(series.reference).or_default();
        (shown.run, shown.metric, shown.label) = (series.run.to_string(), series.metric, series.label);
        (shown.x_metric, shown.without_x) = (series.x_metric, series.without_x);
        match series.columns {
            Columns::Buckets(columns) => {
                let width = (columns.width, columns.x_width.to_bits());
                let same = shown.width == (0, 0) || shown.width == width;
                assert!(same || shown.buckets.is_empty(), "a width changes with a whole answer only");
                shown.width = width;
                shown.buckets.extend(rows(&columns));
            }
            Columns::Raw(points) => {
                let x = |i: usize| series.x.get(i).map(|x| x.to_bits());
                shown.raw.extend((0..points.len()).map(|i| (points.steps[i], points.values.get(i).to_bits(), x(i))));
            }
        }
    }

    /// By name, without references: what is drawn.
    fn drawn(&self) -> BTreeMap<(String, String, String), Shown> {
        let named = |shown: &Shown| (shown.run.clone(), shown.metric.clone(), shown.label.clone());
        self.series.values().map(|shown| (named(shown), shown.clone())).collect()
    }
}

/// The next answer, if there is one before anything could come any more.
async fn hear(subscription: &mut Subscription) -> Option<Answer> {
    timeout(Duration::from_secs(5), subscription.next()).await.ok()?.expect("answers")
}

async fn check(world: &World, query: &HistoryQuery, page: &Page) {
    let fresh = world.engine.history(ORGANIZATION, query).await.expect("answers");
    let mut expect = Page::default();
    let position = fresh.meta.position.clone();
    expect.merge(Answer { whole: true, body: Body::History(fresh), position });
    assert_eq!(page.drawn(), expect.drawn());
}

fn history(runs: &[corral_domain::RunId], buckets: u32) -> HistoryQuery {
    let metrics = ["loss", "acc", "late"].map(str::to_owned).to_vec();
    HistoryQuery { runs: runs.to_vec(), metrics, buckets, ..HistoryQuery::default() }
}

fn record(metric: &'static [&'static str], label: &'static str, steps: std::ops::Range<i64>) -> Record<'static> {
    let value = |step: i64| if step % 7 == 3 { f64::NAN } else { step as f64 * 0.5 };
    let rows = steps.map(|step| (step, step * 1_000, vec![Value::F64(value(step)); metric.len()])).collect();
    Record { label, metrics: metric, rows, duplicates: 0 }
}

#[derive(Clone, Debug)]
enum Act {
    Log { run: usize, shape: usize, step: i64, rows: i64 },
    Hear,
    Take { run: usize },
    Define { run: usize, x: bool },
    Lose(bool),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        10 => (0..2_usize, 0..5_usize, 0..200_i64, 1..30_i64)
            .prop_map(|(run, shape, step, rows)| Act::Log { run, shape, step, rows }),
        6 => Just(Act::Hear),
        1 => (0..2_usize).prop_map(|run| Act::Take { run }),
        1 => (0..2_usize, any::<bool>()).prop_map(|(run, x)| Act::Define { run, x }),
        1 => any::<bool>().prop_map(Act::Lose),
    ]
}

async fn play(acts: Vec<Act>, buckets: u32, axis: usize) {
    let (mut world, _tasks) = World::live(SMALL);
    let runs = [run_id("one"), run_id("two")];
    for run in &runs {
        world.open(run).await;
    }
    let axis = [XAxis::Step, XAxis::Time, XAxis::RelativeTime, XAxis::Metric, XAxis::Defined][axis];
    let x_metric = if axis == XAxis::Metric { "acc" } else { "" }.to_owned();
    let query = HistoryQuery { axis, x_metric, ..history(&runs, buckets) };
    let mut subscription = world.engine.subscribe(ORGANIZATION, Query::History(query.clone())).expect("subscribes");
    let mut page = Page::default();
    page.merge(hear(&mut subscription).await.expect("the whole answer"));
    for act in acts.into_iter().chain([Act::Hear]) {
        match act {
            Act::Log { run, shape, step, rows } => {
                let (metrics, label): (&[&str], &str) = match shape {
                    0 => (&["loss"], ""),
                    1 => (&["loss", "acc"], ""),
                    2 => (&["loss"], "rank1"),
                    3 => (&["other"], ""),
                    _ => (&["late"], ""),
                };
                world.record(&runs[run], record(metrics, label, step..step + rows)).await;
            }
            Act::Take { run } => world.open(&runs[run]).await,
            Act::Define { run, x } => world.define(&runs[run], "l*", if x { "acc" } else { "" }).await,
            Act::Lose(lose) => world.tell = !lose,
            Act::Hear => {
                while let Some(answer) = hear(&mut subscription).await {
                    page.merge(answer);
                }
                check(&world, &query, &page).await;
            }
        }
    }
}

fn paused() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().expect("a runtime")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(120) })]

    #[test]
    fn a_page_that_merges_every_answer_shows_the_fresh_answer(
        acts in prop::collection::vec(act(), 1..60),
        buckets in prop_oneof![Just(0_u32), Just(5), Just(50), Just(1_000)],
        axis in 0..5_usize,
    ) {
        paused().block_on(play(acts, buckets, axis));
    }
}

/// Point by point, an answer each: a subscription that goes on one record too far loses some of them.
#[tokio::test(start_paused = true)]
async fn no_record_falls_between_two_answers() {
    let (mut world, _tasks) = World::live(SMALL);
    let run = run_id("one");
    world.open(&run).await;
    world.log(&run, "loss", &[(0, 1.0)]).await;
    let query = history(std::slice::from_ref(&run), 1_000);
    let mut subscription = world.engine.subscribe(ORGANIZATION, Query::History(query.clone())).expect("subscribes");
    let mut page = Page::default();
    page.merge(hear(&mut subscription).await.expect("the whole answer"));
    for step in 1..200 {
        world.log(&run, "loss", &[(step, step as f64)]).await;
        page.merge(hear(&mut subscription).await.expect("an answer to every point"));
    }
    check(&world, &query, &page).await;
    // The range doubles eight times, and a few seals come two at a time; all else is merged.
    assert!(page.answers == 200 && page.merged >= 180, "{} of {} answers were merged", page.merged, page.answers);
}

#[tokio::test(start_paused = true)]
async fn a_point_sends_one_bucket_and_idleness_sends_nothing() {
    let (mut world, _tasks) = World::live(SMALL);
    let runs = [run_id("one"), run_id("two")];
    for run in &runs {
        world.open(run).await;
        world.record(run, record(&["loss", "acc"], "", 0..50)).await;
    }
    let query = history(&runs, 100);
    let mut subscription = world.engine.subscribe(ORGANIZATION, Query::History(query)).expect("subscribes");
    assert!(hear(&mut subscription).await.is_some_and(|answer| answer.whole));
    assert_eq!(timeout(Duration::from_secs(3_600), subscription.next()).await.ok().map(|_| ()), None, "nothing moved");
    // Another metric of the run: heard, and nothing to send.
    world.log(&runs[0], "other", &[(3, 1.0)]).await;
    assert_eq!(hear(&mut subscription).await, None);
    world.log(&runs[0], "loss", &[(50, 1.0)]).await;
    let answer = hear(&mut subscription).await.expect("a point moved");
    let Body::History(history) = answer.body else { panic!("history was asked for") };
    assert!(!answer.whole && history.series.len() == 1 && history.series[0].known);
    assert_eq!(history.series[0].columns.rows(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_silent_hub_does_not_tell_is_found_within_a_second() {
    let (mut world, _tasks) = World::live(SMALL);
    let run = run_id("one");
    world.open(&run).await;
    let query = history(std::slice::from_ref(&run), 100);
    let mut subscription = world.engine.subscribe(ORGANIZATION, Query::History(query.clone())).expect("subscribes");
    let mut page = Page::default();
    page.merge(hear(&mut subscription).await.expect("the whole answer"));
    world.tell = false;
    world.log(&run, "loss", &[(1, 1.0)]).await;
    let heard = timeout(Duration::from_millis(1_001), subscription.next()).await.expect("in time");
    page.merge(heard.expect("answers").expect("an answer"));
    check(&world, &query, &page).await;
}

#[tokio::test(start_paused = true)]
async fn a_moment_answers_once() {
    let (mut world, _tasks) = World::live(SMALL);
    let run = run_id("one");
    world.open(&run).await;
    world.log(&run, "loss", &[(1, 1.0)]).await;
    let as_of = Some(world.tick());
    let freshness = Freshness { as_of, ..Freshness::default() };
    let query = HistoryQuery { freshness, ..history(std::slice::from_ref(&run), 100) };
    let mut subscription = world.engine.subscribe(ORGANIZATION, Query::History(query)).expect("subscribes");
    assert!(hear(&mut subscription).await.is_some());
    world.log(&run, "loss", &[(2, 2.0)]).await;
    assert_eq!(subscription.next().await.expect("ends"), None);
}

#[tokio::test(start_paused = true)]
async fn a_run_falls_silent_and_crashes_by_the_clock_alone() {
    let (mut world, _tasks) = World::live(SMALL);
    let run = run_id("one");
    world.open(&run).await;
    let runs = RunsQuery { project: PROJECT.to_string(), ..RunsQuery::default() };
    let one = RunQuery { freshness: Freshness::default(), run: run.clone() };
    let mut list = world.engine.subscribe(ORGANIZATION, Query::Runs(runs)).expect("subscribes");
    let mut single = world.engine.subscribe(ORGANIZATION, Query::Run(one)).expect("subscribes");
    let state = |answer: Answer| match answer.body {
        Body::Runs(answer) => answer.runs[0].state,
        Body::Run(answer) => answer.run.state,
        _ => panic!("runs were asked for"),
    };
    assert_eq!(hear(&mut list).await.map(state), Some(RunState::Running));
    assert_eq!(hear(&mut single).await.map(state), Some(RunState::Running));
    for (seconds, expect) in [(60, RunState::Silent), (240, RunState::Crashed)] {
        world.clock.advance(Duration::from_secs(seconds));
        for subscription in [&mut list, &mut single] {
            let heard = timeout(Duration::from_secs(400), subscription.next()).await.expect("in time");
            assert_eq!(heard.expect("answers").map(state), Some(expect));
        }
    }
    world.log(&run, "loss", &[(1, 1.0)]).await;
    assert_eq!(hear(&mut list).await.map(state), Some(RunState::Running));
}

#[tokio::test(start_paused = true)]
async fn a_list_sends_the_runs_that_changed_and_whole_lists_when_the_order_does() {
    let (mut world, _tasks) = World::live(SMALL);
    for name in ["a", "b", "c"] {
        world.open(&run_id(name)).await;
    }
    let query = RunsQuery { project: PROJECT.to_string(), ..RunsQuery::default() };
    let mut subscription = world.engine.subscribe(ORGANIZATION, Query::Runs(query)).expect("subscribes");
    let ids = |answer: &Answer| match &answer.body {
        Body::Runs(answer) => answer.runs.iter().map(|run| run.id.to_string()).collect::<Vec<_>>(),
        _ => panic!("runs were asked for"),
    };
    let first = hear(&mut subscription).await.expect("the whole list");
    assert_eq!(ids(&first), ["c", "b", "a"]);
    world.log(&run_id("b"), "loss", &[(1, 1.0)]).await;
    let answer = hear(&mut subscription).await.expect("a change");
    assert_eq!((answer.whole, ids(&answer)), (false, vec!["b".to_owned()]));
    world.open(&run_id("d")).await;
    let answer = hear(&mut subscription).await.expect("a new run");
    assert_eq!((answer.whole, ids(&answer).len()), (true, 4));
    assert_eq!(hear(&mut subscription).await, None);
}

#[tokio::test]
async fn a_subscription_refuses_pages_by_name() {
    let world = World::new(SMALL);
    let query = RunsQuery { page_token: "00".to_owned(), ..RunsQuery::default() };
    let refused = world.engine.subscribe(ORGANIZATION, Query::Runs(query)).map(|_| ());
    assert!(matches!(refused, Err(QueryError::Unsupported { field: "page_token", .. })));
}

/// Bug 13: a subscription that resumes one record too far turns the suite red.
#[cfg(feature = "planted")]
#[test]
fn planted_bug_13_is_found() {
    let test = "live::tests::no_record_falls_between_two_answers";
    let run = |bug: &str| {
        let mut suite = std::process::Command::new(std::env::current_exe().expect("this test"));
        let output = suite.args(["--exact", test]).env("CORRAL_PLANTED_BUG", bug).output().expect("runs");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (sound, said) = run("0");
    assert!(sound && said.contains("1 passed"), "{said}");
    let (sound, said) = run("13");
    assert!(!sound && said.contains("1 failed"), "the planted bug went unseen: {said}");
}
