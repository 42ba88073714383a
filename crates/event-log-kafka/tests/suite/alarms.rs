//! What must stop a partition: never a silent reset.

use corral_domain::{Offset, Partition};
use corral_event_log::{EventLog, LogError};
use corral_event_log_kafka::KafkaSettings;

use crate::broker::{admin, record, settings};
use crate::support::open;

const P0: Partition = Partition(0);

async fn delete(settings: &KafkaSettings, topics: &[&str]) {
    let (admin, options) = admin(settings);
    for deleted in admin.delete_topics(topics, &options).await.expect("the broker answers") {
        deleted.expect("it is deleted");
    }
}

/// Opens a log with the settings as soon as the deletion has been carried out.
async fn make_again(settings: &KafkaSettings) -> impl EventLog {
    for _ in 0..100 {
        match open(settings).await {
            Ok(log) => return log,
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
    }
    panic!("{}", open(settings).await.err().expect("an error"));
}

#[tokio::test]
async fn a_place_below_what_was_trimmed_is_out_of_range() {
    let settings = settings("trimmed");
    let log = open(&settings).await.expect("it opens");
    log.append(P0, (0..10).map(record).collect()).await.expect("appended");
    assert_eq!(log.trim(P0, Offset(6)).await.expect("trimmed"), Offset(6));
    let error = log.read(P0, Offset(5), 100).await.expect_err("below the start");
    assert!(
        matches!(error, LogError::OutOfRange { offset: Offset(5), start: Offset(6), end: Offset(10), .. }),
        "{error}"
    );
    assert_eq!(log.read(P0, Offset(6), 1_000).await.expect("the rest is there").records.len(), 4);
    assert_eq!(log.append(P0, vec![record(10)]).await.expect("it goes on").offsets, vec![Offset(10)]);
}

#[tokio::test]
async fn another_log_in_its_place_stops_readers_and_writers() {
    let settings = settings("replaced");
    let old = open(&settings).await.expect("it opens");
    let reader = open(&settings).await.expect("it opens");
    old.append(P0, (0..3).map(record).collect()).await.expect("appended");
    assert_eq!(reader.read(P0, Offset::ZERO, 1_000).await.expect("read").records.len(), 3);
    delete(&settings, &[&settings.topic, &format!("{}.identity", settings.topic)]).await;
    let new = make_again(&settings).await;
    assert_ne!(new.identity().log_id, old.identity().log_id);
    new.append(P0, vec![record(7)]).await.expect("the new one takes appends");
    let found = new.identity().log_id.to_string();
    for log in [&old, &reader] {
        let error = match log.append(P0, vec![record(4)]).await {
            Err(error) => error,
            Ok(at) => panic!("appended to another log at {:?}", at.offsets),
        };
        let named = |error: &LogError| matches!(error, LogError::Replaced { found: f, .. } if *f == found);
        assert!(named(&error), "{error}");
        for error in [
            log.read(P0, Offset(3), 100).await.err(),
            log.extent(P0).await.err(),
            log.wait(P0, Offset(3)).await.err(),
            log.trim(P0, Offset::ZERO).await.err(),
        ] {
            assert!(error.as_ref().is_some_and(named), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_topic_that_was_made_anew_below_its_identity_is_truncated() {
    let settings = settings("truncated");
    let log = open(&settings).await.expect("it opens");
    log.append(P0, (0..5).map(record).collect()).await.expect("appended");
    delete(&settings, &[&settings.topic]).await;
    // With the identity still there, what held the records is gone: no new log may be begun in its place.
    let error = open(&settings).await.err().expect("refused").to_string();
    assert!(error.contains("is gone, but"), "{error}");
    let (admin, options) = admin(&settings);
    let topic = rdkafka::admin::NewTopic::new(&settings.topic, 2, rdkafka::admin::TopicReplication::Fixed(1));
    admin.create_topics([&topic], &options).await.expect("the broker answers");
    let mut waits = 0;
    let error = loop {
        match log.extent(P0).await {
            Err(LogError::Unavailable(_)) if waits < 100 => waits += 1,
            Err(error) => break error,
            Ok(extent) => panic!("{extent:?}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert!(matches!(error, LogError::Truncated { was: Offset(5), end: Offset(0), .. }), "{error}");
    assert!(matches!(log.append(P0, vec![record(5)]).await, Err(LogError::Truncated { .. })), "and stays so");
    assert!(log.extent(Partition(1)).await.is_ok(), "the other partition lost nothing");
}
