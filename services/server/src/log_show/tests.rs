//! What is said of a run's records.

use crate::admin::{DONE, FAILED, LOG_SHOW};
use crate::local::Local;
use crate::testing::{Home, Writer};

async fn ask(home: &Home, run: &str) -> (u8, String) {
    let local = Local::find(&home.config(), None).unwrap();
    let mut text = Vec::new();
    let body = format!("{{\"run_id\":\"{run}\"}}");
    let last = local.listen(LOG_SHOW, body, |line| text.push(line.text.clone())).await.unwrap();
    text.push(last.text);
    (last.code.unwrap(), text.join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runs_events_are_shown_with_their_positions_and_what_became_of_them() {
    let home = Home::new();
    let running = home.start().await.unwrap();
    let mut writer = Writer::open(&running, &home.key(), "a-run").await;
    writer.points(20).await;
    writer.again(15);
    writer.points(10).await;
    writer.again(10);
    writer.points(3).await;
    writer.never_opened().await;
    let (code, text) = ask(&home, "a-run").await;
    assert_eq!(code, DONE, "{text}");
    for expect in [
        "items 1 take 0: applies\n    1 Opened(RunOpened {",
        "items 3-22 take 1: applies\n    3-22 points: 20 rows of metrics [0] steps 3 to 22",
        "items 15-24 take 1: trimmed, 23-24 applies\n    15-24 points: 10 rows of metrics [0] steps 15 to 24",
        "items 10-12 take 1: skipped: everything up to item 24 was applied before",
        "dead letter: \"the writer was never opened\"",
    ] {
        assert!(text.contains(expect), "`{expect}` is not in\n{text}");
    }
    let records = text.lines().filter(|line| line.contains(" RunItems by owner writer 0707")).count();
    assert!(
        text.ends_with(&format!("\n{records} events in partition {}", &text[text.rfind("partition ").unwrap() + 10..]))
    );
    let (code, text) = ask(&home, "another").await;
    assert_eq!((code, text.as_str()), (FAILED, "there is no event of run another in the event log"));
    running.shutdown().await;
}
