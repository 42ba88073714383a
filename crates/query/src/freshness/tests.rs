//! An answer waits for what was asked for, within its bound, and for nothing else.

use std::time::Duration;

use corral_read_store::{ReadStore, WriteBatch};
use tokio::time::{Instant, timeout};

use super::*;
use crate::testing::{ORGANIZATION, PROJECT, SMALL, World, run_id};
use crate::{HistoryQuery, ProjectsQuery, RunQuery, RunsQuery};

fn not_before(partition: Partition, offset: u64) -> Freshness {
    Freshness { not_before: vec![(partition, Offset(offset))], as_of: None }
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_the_commit_and_no_longer() {
    let mut world = World::new(SMALL);
    let run = run_id("one");
    world.open(&run).await;
    let (engine, partition) = (world.engine.clone(), world.partition(&run));
    let query = HistoryQuery {
        freshness: not_before(partition, 2),
        runs: vec![run.clone()],
        metrics: vec!["loss".to_owned()],
        ..HistoryQuery::default()
    };
    let asked = engine.history(ORGANIZATION, &query);
    tokio::pin!(asked);
    assert!(timeout(Duration::from_millis(300), &mut asked).await.is_err(), "it is not there yet");
    world.log(&run, "loss", &[(1, 2.0)]).await;
    let began = Instant::now();
    let answer = asked.await.expect("answers");
    assert_eq!((answer.series.len(), began.elapsed()), (1, Duration::ZERO));
    assert_eq!(answer.meta.position.0[&partition], Offset(2));
}

#[tokio::test(start_paused = true)]
async fn it_gives_up_after_two_seconds_and_says_where_it_stands() {
    let mut world = World::new(SMALL);
    let run = run_id("one");
    world.open(&run).await;
    let partition = world.partition(&run);
    let began = Instant::now();
    let refused = world.engine.run(ORGANIZATION, &RunQuery { freshness: not_before(partition, 9), run }).await;
    let Err(QueryError::Unavailable { position, retry_after_ms, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(position.0[&partition], Offset(1));
    assert_eq!((began.elapsed(), retry_after_ms > 0), (Duration::from_millis(NOT_BEFORE_WAIT_MS_MAX), true));
}

#[tokio::test(start_paused = true)]
async fn only_what_answers_is_waited_for() {
    let mut world = World::new(SMALL);
    let run = run_id("one");
    world.open(&run).await;
    let other = Partition((world.partition(&run).0 + 1) % 4);
    let answer = world.engine.run(ORGANIZATION, &RunQuery { freshness: not_before(other, 99), run }).await;
    assert!(answer.is_ok(), "{answer:?}");
    let freshness = not_before(other, 99);
    let query = RunsQuery { freshness, project: PROJECT.to_string(), ..RunsQuery::default() };
    assert!(world.engine.runs(ORGANIZATION, &query).await.is_err_and(|error| error.is_retryable()));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_partition_answers_at_once_with_what_it_has() {
    let mut world = World::new(SMALL);
    let run = run_id("one");
    world.open(&run).await;
    let partition = world.partition(&run);
    let checkpoint = Checkpoint {
        offset: Offset(1),
        complete_through: Micros(77),
        stopped: Some("a record of a newer version".to_owned()),
        stale_since: Micros(55),
    };
    let checkpoint = Checkpoint { complete_through: Micros(crate::testing::START.0 + 77), ..checkpoint };
    world.store.commit(partition, WriteBatch::default(), checkpoint).await.expect("commits");
    let began = Instant::now();
    let answer = world.engine.run(ORGANIZATION, &RunQuery { freshness: not_before(partition, 9), run }).await;
    assert_eq!(answer.expect("answers").meta.stale_since, Some(Micros(55)));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_moment_that_is_not_over_is_open() {
    let mut world = World::new(SMALL);
    let run = run_id("one");
    world.open(&run).await;
    let now = world.clock.clock().now();
    for (as_of, open) in [(now, false), (Micros(now.0 + 1), true)] {
        let freshness = Freshness { as_of: Some(as_of), ..Freshness::default() };
        let answer = world.engine.run(ORGANIZATION, &RunQuery { freshness, run: run.clone() }).await.expect("answers");
        assert_eq!((answer.meta.open, answer.meta.complete_through), (open, now));
    }
}

#[tokio::test]
async fn what_cannot_be_honoured_is_refused_by_name() {
    let world = World::new(SMALL);
    let as_of = Freshness { as_of: Some(Micros(1)), ..Freshness::default() };
    let query = ProjectsQuery { freshness: as_of.clone(), ..Default::default() };
    let projects = world.engine.projects(ORGANIZATION, &query).await;
    assert!(matches!(projects, Err(QueryError::Unsupported { field: "freshness.as_of", .. })), "{projects:?}");
    let query = RunsQuery { freshness: as_of, ..Default::default() };
    let runs = world.engine.runs(ORGANIZATION, &query).await;
    assert!(matches!(runs, Err(QueryError::Unsupported { field: "freshness.as_of", .. })), "{runs:?}");
    let query = ProjectsQuery { freshness: not_before(Partition(4), 1), ..Default::default() };
    let projects = world.engine.projects(ORGANIZATION, &query).await;
    assert!(matches!(projects, Err(QueryError::Invalid { field: "freshness.not_before", .. })), "{projects:?}");
}
