//! Ends of tasks, and the order of the drain.

use std::time::Duration;

use super::*;

fn waits(tasks: &Tasks, kind: Kind) -> impl Future<Output = Result<(), TaskError>> + Send + use<> {
    let told = tasks.shutdown(kind);
    async move {
        told.cancelled().await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn asked_to_stop_it_exits_with_zero() {
    let tasks = Tasks::new();
    tasks.spawn("door", Kind::Door, waits(&tasks, Kind::Door));
    tasks.spawn("projector", Kind::Projector, waits(&tasks, Kind::Projector));
    tasks.stop(0);
    assert_eq!(tasks.run_to_code().await, 0);
    assert!(tasks.running().is_empty());
}

/// (kind, end) -> the exit code of a process that is asked to stop with 0 a second later.
async fn check(kind: Kind, end: fn() -> Result<(), TaskError>, expect: u8) {
    let tasks = Tasks::new();
    tasks.spawn("task", kind, async move { end() });
    let asked = tasks.clone();
    tasks.spawn("asker", Kind::Telemetry, async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        asked.stop(0);
        Ok(())
    });
    assert_eq!(tasks.run_to_code().await, expect, "{kind:?}");
}

#[tokio::test(start_paused = true)]
async fn the_kind_says_what_an_end_means() {
    for kind in [Kind::Door, Kind::Projector, Kind::Storage, Kind::Upkeep] {
        check(kind, || Err("broken".into()), 1).await;
        check(kind, || panic!("planned"), 1).await;
        check(kind, || Ok(()), 1).await;
    }
    for kind in [Kind::Connection, Kind::Session, Kind::Telemetry] {
        check(kind, || Err("broken".into()), 0).await;
        check(kind, || panic!("planned"), 0).await;
        check(kind, || Ok(()), 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn stages_end_in_order_and_one_that_hangs_is_dropped_at_its_bound() {
    let tasks = Tasks::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    for (name, kind) in [("telemetry", Kind::Telemetry), ("projector", Kind::Projector), ("door", Kind::Door)] {
        let (wait, seen) = (waits(&tasks, kind), seen.clone());
        tasks.spawn(name, kind, async move {
            wait.await?;
            seen.lock().unwrap().push(name);
            Ok(())
        });
    }
    tasks.spawn("hangs", Kind::Session, std::future::pending());
    let before = tokio::time::Instant::now();
    tasks.stop(0);
    assert_eq!(tasks.run_to_code().await, 0);
    assert_eq!(*seen.lock().unwrap(), ["door", "projector", "telemetry"]);
    assert_eq!(before.elapsed().as_millis(), u128::from(corral_domain::limits::DRAIN_QUERIES_MS_MAX));
}

#[tokio::test]
async fn a_thread_is_supervised_as_a_task_is() {
    let tasks = Tasks::new();
    tasks.spawn_thread("writer", Kind::Storage, || Err("the disk is gone".into())).unwrap();
    assert_eq!(tasks.run_to_code().await, 1);
    assert_eq!(tasks.run_blocking("sum", || 2 + 2).await.unwrap(), 4);
    let error = tasks.run_blocking("sum", || -> u8 { panic!("planned") }).await.unwrap_err();
    assert_eq!(error.to_string(), "sum panicked: planned");
}

#[tokio::test]
async fn a_failure_keeps_its_code_against_a_later_polite_stop() {
    let tasks = Tasks::new();
    tasks.stop(0);
    tasks.stop(3);
    tasks.stop(0);
    tasks.stop(4);
    assert_eq!(tasks.run_to_code().await, 3);
}

#[tokio::test]
async fn a_token_stays_told() {
    let token = Shutdown::new();
    assert!(!token.is_cancelled());
    token.cancel();
    token.clone().cancelled().await;
    token.cancel();
    assert!(token.is_cancelled());
}
