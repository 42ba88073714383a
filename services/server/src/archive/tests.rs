//! A server whose log has forgotten everything, with its archive; and one that is pushed into another.

use std::time::Duration;

use corral_archive::up_to_tail;
use corral_client::Settings;
use corral_domain::{Offset, Partition};
use corral_event_log_embedded::disk::DiskStorage;
use corral_event_log_embedded::{EmbeddedLog, Options};
use corral_push::{Plan, RpcTarget, Source, push};

use super::*;
use crate::admin::{DONE, REBUILD};
use crate::local::Local;
use crate::serve::Running;
use crate::testing::{Home, Writer};
use crate::wiring::log_alone;

async fn wait_for_points(home: &Home, run: &str, expect: u64) {
    let local = Local::find(&home.config(), None).unwrap();
    let body = format!("{{\"runId\":\"{run}\"}}");
    let look = async {
        loop {
            let said = local.ask("/api/corral.v1.QueryService/GetRun", body.clone()).await.unwrap_or_default();
            let said: serde_json::Value = serde_json::from_slice(&said).unwrap_or_default();
            if said["run"]["points"].as_str() == Some(expect.to_string().as_str()) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look).await.expect("all points are shown");
}

/// Opens the directory's log with segments of one batch each, repeats the last record of each partition, so that a new
/// segment begins, and trims all before it.
async fn forget(home: &Home) {
    let storage = Arc::new(DiskStorage::open(&home.config().data_dir.join("log")).unwrap());
    let options = Options { segment_bytes_max: 1, ..Options::new(Arc::new(|| Clock::system().now())) };
    let log = EmbeddedLog::open(storage, options).unwrap();
    let mut forgotten = 0;
    for partition in (0..log.identity().partitions).map(Partition) {
        let tail = log.extent(partition).await.unwrap().tail;
        if tail == Offset::ZERO {
            continue;
        }
        let last = log.read(partition, Offset(tail.0 - 1), 1).await.unwrap().records.remove(0);
        log.append(partition, vec![last.bytes]).await.unwrap();
        assert_eq!(log.trim(partition, tail).await.unwrap(), tail);
        forgotten += tail.0;
    }
    assert!(forgotten > 5);
    log.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_has_forgotten_is_served_from_the_archive() {
    let home = Home::new();
    let running = home.start().await.unwrap();
    let mut writer = Writer::open(&running, &home.key(), "a-run").await;
    for _ in 0..5 {
        writer.points(60).await;
    }
    running.shutdown().await;

    let blobs = home.0.path().join("blobs");
    let (log, _) = home.opened().await;
    let store = BlobStore::open(blobs.to_str().unwrap()).unwrap();
    let archive = Archive::open(store, log.handle().identity()).await.unwrap();
    up_to_tail(&archive, &*log.handle(), &corral_archiver::limits(4), &|_| {}).await.unwrap();
    log.close();
    drop(log);
    forget(&home).await;
    std::fs::remove_dir_all(home.config().data_dir.join("read-store")).unwrap();

    std::fs::write(home.0.path().join(".config/corral/config.toml"), format!("blobs = {blobs:?}\n")).unwrap();
    let running = home.start().await.unwrap();
    wait_for_points(&home, "a-run", 300).await;
    let local = Local::find(&home.config(), None).unwrap();
    let last = local.listen(REBUILD, "{\"verify\":true}".to_owned(), |_| {}).await.unwrap();
    assert_eq!(last.code, Some(DONE), "{}", last.text);
    let figures = local.get("/metrics").await.unwrap();
    let figures = String::from_utf8_lossy(&figures).into_owned();
    let archived = |partition: u16| format!("corral_archive_offset{{partition=\"{partition}\"}} ");
    assert!((0..4).all(|partition| figures.contains(&archived(partition))), "{figures}");
    assert!(figures.contains("corral_archive_failing{partition=\"0\"} 0"), "{figures}");
    running.shutdown().await;
}

async fn connected(running: &Running, home: &Home) -> impl corral_push::Target {
    let mut settings = Settings::from_env("test");
    settings.set_url(running.url());
    settings.set_key(home.key().expose());
    RpcTarget::new(corral_client::connect(&settings).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_is_pushed_into_a_server() {
    let (laptop, team) = (Home::new(), Home::new());
    let running = laptop.start().await.unwrap();
    let mut writer = Writer::open(&running, &laptop.key(), "a-run").await;
    for _ in 0..10 {
        writer.points(30_000).await;
    }
    running.shutdown().await;
    let there = team.start().await.unwrap();
    for sent in [13, 0] {
        let log = log_alone(&laptop.config().data_dir, &Clock::system()).unwrap();
        let mut target = connected(&there, &team).await;
        let pushed = push(&Source::Log(log.handle()), &mut target, &Plan::default(), &|_| {}).await.unwrap();
        assert_eq!((pushed.runs, pushed.projects, pushed.sent), (1, 1, sent));
        wait_for_points(&team, "a-run", 300_000).await;
        log.close();
    }
    there.shutdown().await;
}

#[tokio::test]
async fn an_archive_that_cannot_be_opened_is_named_by_its_setting() {
    let home = Home::new();
    let dir = home.0.path().join(".config/corral");
    std::fs::create_dir_all(&dir).unwrap();
    for (blobs, says) in [("s3://bucket/prefix", "cargo feature `cloud`"), ("/proc/none/here", "/proc/none/here")] {
        std::fs::write(dir.join("config.toml"), format!("blobs = '{blobs}'\n")).unwrap();
        let error = home.start().await.err().expect("it does not start").to_string();
        assert!(error.starts_with("blobs: ") && error.contains(says), "{error}");
    }
}
