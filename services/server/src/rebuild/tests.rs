//! Under a running server and without one; and a store that somebody changed by hand.

use bytes::Bytes;
use corral_read_store::{Mutation, Table, WriteBatch};

use super::*;
use crate::admin::{DIFFERENT, DONE, REBUILD};
use crate::local::Local;
use crate::said;
use crate::testing::{Home, Writer};

/// Asks the running server, as the command does.
async fn ask(home: &Home, verify: bool) -> (u8, String) {
    let local = Local::find(&home.config(), None).unwrap();
    let mut text = Vec::new();
    let body = format!("{{\"verify\":{verify}}}");
    let last = local.listen(REBUILD, body, |line| text.push(line.text.clone())).await.unwrap();
    text.push(last.text);
    (last.code.unwrap(), text.join("\n"))
}

/// Opens the directory, as the command does where no server runs.
async fn offline_of(home: &Home, check: bool) -> Result<(), RebuildError> {
    let (log, stores) = home.opened().await;
    let (say, mut lines) = said::channel();
    let drain = async move { while lines.recv().await.is_some() {} };
    let rebuild = async move {
        let done = offline((log.handle(), &stores), Clock::system(), (check, &say)).await;
        log.close();
        done
    };
    tokio::join!(rebuild, drain).0
}

fn served(home: &Home) -> u32 {
    let path = home.config().data_dir.join("read-store/current");
    std::fs::read_to_string(path).unwrap().trim().parse().unwrap()
}

async fn points(home: &Home, run: &str) -> u64 {
    let local = Local::find(&home.config(), None).unwrap();
    let body = format!("{{\"runId\":\"{run}\"}}");
    let said = local.ask("/api/corral.v1.QueryService/GetRun", body).await.unwrap();
    let said: serde_json::Value = serde_json::from_slice(&said).unwrap();
    said["run"]["points"].as_str().unwrap().parse().unwrap()
}

/// Changes one byte of one row of the build that is served, at a later timestamp, as no projection would.
async fn change_by_hand(home: &Home, table: Table) {
    let build = home.stores().await.current().await.unwrap();
    let store = build.handle();
    let mut row = store.dump(table, None, 1).await.unwrap().remove(0);
    let mut value = row.value.take().unwrap().to_vec();
    *value.last_mut().unwrap() ^= 1;
    let write = Mutation::one(row.key, Some(Bytes::from(value)), row.timestamp + 1);
    let batch = WriteBatch { derived: vec![write], state: Vec::new() };
    let checkpoint = store.checkpoint(Partition(0)).await.unwrap().unwrap_or_default();
    store.commit(Partition(0), batch, checkpoint).await.unwrap();
    build.store_persisted();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_rebuilds_beside_its_work() {
    let home = Home::new();
    let running = home.start().await.unwrap();
    let mut writer = Writer::open(&running, &home.key(), "a-run").await;
    // More than a tail, so that there is something sealed.
    for _ in 0..7 {
        writer.points(10_000).await;
    }
    let before = served(&home);
    let (code, text) = ask(&home, true).await;
    assert_eq!(code, DONE, "{text}");
    assert!(text.contains("equal: ") && served(&home) > before, "{text}");
    writer.points(5).await;
    let all = async {
        while points(&home, "a-run").await != 70_005 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all).await.expect("projectors went on, on the new build");
    let (code, text) = ask(&home, true).await;
    assert_eq!(code, DONE, "{text}");
    let builds = std::fs::read_dir(home.config().data_dir.join("read-store")).unwrap();
    let builds = builds.filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir()).count();
    assert_eq!(builds, 1, "the builds that were replaced are gone");
    running.shutdown().await;
    offline_of(&home, true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_changed_by_hand_is_found_and_replaced() {
    let home = Home::new();
    let running = home.start().await.unwrap();
    let mut writer = Writer::open(&running, &home.key(), "a-run").await;
    writer.points(100).await;
    running.shutdown().await;
    for table in [Table::RunHead, Table::Tail, Table::State, Table::MetricDef, Table::ProjectStat] {
        let build = home.stores().await.current().await.unwrap();
        let rows = build.handle().dump(table, None, 1).await.unwrap().len();
        drop(build);
        if rows == 0 {
            continue;
        }
        change_by_hand(&home, table).await;
        let before = served(&home);
        let error = offline_of(&home, true).await.unwrap_err();
        assert!(error.is_difference(), "{table:?}: {error}");
        assert_eq!(served(&home), before, "what was found is left for whoever wants to know why");

        let running = home.start().await.unwrap();
        let (code, text) = ask(&home, true).await;
        assert_eq!(code, DIFFERENT, "{table:?} under a running server: {text}");
        let (code, text) = ask(&home, false).await;
        assert_eq!(code, DONE, "{text}");
        let (code, text) = ask(&home, true).await;
        assert_eq!(code, DONE, "{table:?} was replaced: {text}");
        running.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_open_is_set_aside_and_made_again() {
    let home = Home::new();
    let running = home.start().await.unwrap();
    Writer::open(&running, &home.key(), "a-run").await.points(100).await;
    running.shutdown().await;
    let stores = home.stores().await;
    let build = stores.current().await.unwrap().id;
    stores.condemn(build, "a test says so").unwrap();
    let running = home.start().await.unwrap();
    let all = async {
        while points_or_none(&home, "a-run").await != Some(100) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all).await.expect("replayed by itself");
    running.shutdown().await;
}

async fn points_or_none(home: &Home, run: &str) -> Option<u64> {
    let local = Local::find(&home.config(), None).unwrap();
    let body = format!("{{\"runId\":\"{run}\"}}");
    let said = local.ask("/api/corral.v1.QueryService/GetRun", body).await.ok()?;
    let said: serde_json::Value = serde_json::from_slice(&said).unwrap();
    said["run"]["points"].as_str()?.parse().ok()
}
