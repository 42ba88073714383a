//! A run's page: figures with the tail on top, and any moment of it.

use corral_domain::{Take, Value};

use super::*;
use crate::Freshness;
use crate::testing::{ORGANIZATION, Record, SMALL, START, World, run_id};

async fn ask(world: &World, run: &RunId, as_of: Option<Micros>) -> Result<RunAnswer, QueryError> {
    let freshness = Freshness { as_of, ..Freshness::default() };
    world.engine.run(ORGANIZATION, &RunQuery { freshness, run: run.clone() }).await
}

#[tokio::test]
async fn figures_are_those_of_every_point_at_any_number_of_seals() {
    let mut world = World::new(SMALL);
    let run = run_id("one");
    world.open(&run).await;
    for round in 0..40_i64 {
        for label in ["", "rank1"] {
            let value = |i: i64| if i % 5 == 0 { f64::NAN } else { (round * 10 + i) as f64 };
            let rows = (0..7).map(|i| (round * 7 + i, START.0, vec![Value::F64(value(i)), Value::U64(7)])).collect();
            world.record(&run, Record { label, metrics: &["loss", "n"], rows, duplicates: 0 }).await;
        }
        let answer = ask(&world, &run, None).await.expect("answers");
        let [loss, n] = &answer.metrics[..] else { panic!("{:?}", answer.metrics) };
        let points = (round + 1) as u64 * 14;
        assert_eq!((loss.count, loss.nan_count, loss.labels.len()), (points, points / 7 * 2, 2));
        assert_eq!((loss.min, loss.max), (Some(1.0), Some(round as f64 * 10.0 + 6.0)));
        assert_eq!(loss.last_step, round * 7 + 6);
        assert_eq!(loss.last, Some(Value::F64(round as f64 * 10.0 + 6.0)));
        assert_eq!((n.last, n.mean), (Some(Value::U64(7)), Some(7.0)));
        let keys: Vec<&str> = answer.run.summary.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!((keys, answer.run.points), (vec!["loss", "n"], points * 2));
    }
    assert!(world.runs[&run].state.seals > 5);
}

#[tokio::test]
async fn any_moment_comes_back_as_it_was() {
    let mut world = World::new(SMALL);
    let run = run_id("one");
    let before = world.tick();
    world.open(&run).await;
    let mut then = Vec::new();
    for round in 0..60_i64 {
        if round == 30 {
            world.open(&run).await;
        }
        world.log(&run, "loss", &[(round, round as f64), (round + 1, 0.5)]).await;
        let answer = ask(&world, &run, None).await.expect("answers");
        then.push((world.clock.clock().now(), answer));
    }
    world.finish(&run).await;
    for (moment, was) in then {
        let now = ask(&world, &run, Some(moment)).await.expect("answers");
        assert_eq!((now.run.take, now.run.state), (was.run.take, RunState::Running));
        assert_eq!(now.metrics, was.metrics);
        assert_eq!(
            (now.run.summary, now.run.config),
            (was.run.summary, vec![(vec!["lr".to_owned()], "0.5".to_owned())])
        );
        assert_eq!(now.run.last_append, moment);
    }
    assert!(matches!(ask(&world, &run, Some(before)).await, Err(QueryError::NotFound { what: "run", .. })));
    let last = ask(&world, &run, None).await.expect("answers").run;
    assert_eq!((last.state, last.take), (RunState::Finished, Take(2)));
    assert!(last.finished.is_some());
}

#[test]
fn silence_is_derived_from_the_last_append() {
    let at = |seconds: i64| Micros(seconds * 1_000_000);
    for (stored, age, expect, next) in [
        (1, 59, RunState::Running, Some(60)),
        (1, 60, RunState::Silent, Some(300)),
        (1, 300, RunState::Crashed, None),
        (1, -5, RunState::Running, Some(60)),
        (2, 900, RunState::Finished, None),
        (3, 900, RunState::Failed, None),
    ] {
        let state = derived_state(stored, at(1_000), at(1_000 + age));
        assert_eq!(state, expect, "{age} s after the last append");
        assert_eq!(next_change(state, at(1_000)), next.map(|seconds: i64| at(1_000 + seconds)));
    }
}
