//! Start, what others find, and the end.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::testing::{Home, Writer, is_success};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_where_it_is_serves_and_goes() {
    let home = Home::new();
    let running = home.start().await.unwrap();
    let data_dir = home.config().data_dir;
    let said = Announcement::read(&data_dir).unwrap();
    assert_eq!((said.url.as_str(), said.pid), (running.url(), std::process::id()));
    assert_ne!(running.address().port(), 0);
    let credentials = running.key_written_to().unwrap().to_owned();
    assert_eq!(std::fs::metadata(&credentials).unwrap().permissions().mode() & 0o777, 0o600);
    let link = running.login_link().unwrap();
    assert!(link.starts_with(&format!("{}/login#", running.url())), "{link}");

    let mut writer = Writer::open(&running, &home.key(), "a-run").await;
    writer.points(10).await;
    assert!(is_success(running.shutdown().await));
    assert_eq!(Announcement::read(&data_dir), None, "nobody serves it any more");

    // The same directory again: the owner is there, and so is what was acknowledged.
    let again = home.start().await.unwrap();
    assert_eq!(again.key_written_to(), None);
    assert_eq!(Announcement::read(&data_dir).unwrap().url, again.url());
    assert!(is_success(again.shutdown().await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_has_one_owner() {
    let home = Home::new();
    let running = home.start().await.unwrap();
    let said = Announcement::read(&home.config().data_dir);
    let error = home.start().await.err().unwrap().to_string();
    assert!(error.starts_with("data_dir: ") && error.contains("is in use by another process (pid "), "{error}");
    assert_eq!(Announcement::read(&home.config().data_dir), said, "who was there first is still announced");
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named_before_anything_is_opened() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = home.config();
    config.listen = taken.local_addr().unwrap();
    let error = Running::start(&config, Clock::system(), Tasks::new()).await.err().unwrap().to_string();
    assert!(error.starts_with(&format!("listen: {}", config.listen)), "{error}");
    assert!(!config.data_dir.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_can_be_told_the_key_there_is_no_owner() {
    let home = Home::new();
    let mut config = home.config();
    config.credentials = None;
    let error = Running::start(&config, Clock::system(), Tasks::new()).await.err().unwrap().to_string();
    assert!(error.contains("there is no place for credentials"), "{error}");
    let running = home.start().await.unwrap();
    assert!(running.key_written_to().is_some(), "the next start makes one");
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_and_readiness_are_those_of_the_process() {
    let home = Home::new();
    let running = home.start().await.unwrap();
    let key = home.key();
    let mut writer = Writer::open(&running, &key, "a-run").await;
    writer.points(10).await;
    let local = crate::local::Local::find(&home.config(), None).unwrap();
    let ready = async {
        while local.get("/readyz").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), ready).await.unwrap();
    let text = String::from_utf8(local.get("/metrics").await.unwrap().to_vec()).unwrap();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse::<f64>().unwrap()
    };
    assert_eq!(value("corral_ingest_items_total"), 12.0, "the opening, the metric, ten calls");
    assert!(value("corral_log_appends_total") >= 4.0, "and the project's name");
    assert!((1.0..=value("corral_log_appends_total")).contains(&value("corral_log_syncs_total")));
    assert_eq!(value("corral_log_queue_bytes"), 0.0);
    assert_eq!(value("corral_sessions"), 0.0);
    assert!(text.contains("corral_projector_lag_seconds{partition=\"3\"}"), "{text}");
    running.shutdown().await;
}
