//! Hubs of several processes, joined by a broker, by one that is not there, and beside strangers.

use std::time::Duration;

use corral_domain::{Offset, Partition};
use corral_event_log_kafka::{KafkaHub, KafkaSettings};
use corral_hub::{Heard, Hub, Message, Subscriber};
use corral_tasks::{Clock, Tasks};
use rdkafka::admin::ResourceSpecifier;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::broker::{admin, plain, settings};
use crate::support::clock;

const WAIT: Duration = Duration::from_secs(60);

fn start(settings: &KafkaSettings) -> (Hub, Tasks) {
    let tasks = Tasks::new();
    (KafkaHub::start(settings, (clock(), &tasks)).expect("a hub"), tasks)
}

fn checkpointed(partition: u16, offset: u64) -> Message {
    Message::Checkpointed { partition: Partition(partition), offset: Offset(offset) }
}

/// The next message; losses are passed over.
async fn next(subscriber: &mut Subscriber) -> Message {
    let next = async {
        loop {
            if let Heard::Message(message) = subscriber.next().await.expect("a hub") {
                return message;
            }
        }
    };
    tokio::time::timeout(WAIT, next).await.expect("a message, in time")
}

/// Publishes until the other hears: it may not listen yet. Returns how often.
async fn until_heard(from: &Hub, to: &mut Subscriber) -> u64 {
    for offset in 1.. {
        from.publish(checkpointed(9, offset));
        if let Ok(Some(Heard::Message(_))) = tokio::time::timeout(Duration::from_millis(100), heard(to)).await {
            return offset;
        }
    }
    unreachable!("offsets do not end")
}

async fn heard(subscriber: &mut Subscriber) -> Option<Heard> {
    loop {
        match subscriber.next().await {
            Some(Heard::Lagged) => {}
            other => return other,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_publishes_all_hear_and_it_once() {
    let settings = settings("hub");
    let ((one, tasks), (other, others)) = (start(&settings), start(&settings));
    let (mut near, mut far) = (one.subscribe(), other.subscribe());
    let mut published = until_heard(&one, &mut far).await;
    let mut slowest = Duration::ZERO;
    for offset in 1..=20 {
        let started = Clock::system();
        one.publish(checkpointed(0, offset));
        published += 1;
        while next(&mut far).await != checkpointed(0, offset) {}
        slowest = slowest.max(started.monotonic());
    }
    eprintln!("from one process to another: {slowest:?} at most");
    // Whoever published hears itself once, and nothing of it comes back by the broker.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let own = std::iter::from_fn(|| near.try_next()).filter(|heard| matches!(heard, Heard::Message(_))).count() as u64;
    assert_eq!((own, one.figures().published, one.figures().batches_heard), (published, published, 0));
    assert!(one.figures().batches_sent >= 20 && other.figures().batches_heard >= 20);
    assert_eq!((one.figures().batches_failed, one.figures().outward_dropped, other.figures().garbage), (0, 0, 0));
    for tasks in [tasks, others] {
        tasks.stop(0);
        tokio::time::timeout(WAIT, tasks.run()).await.expect("an end");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_topic_forgets_after_a_minute() {
    let settings = settings("hub-retention");
    let ((one, _tasks), (other, _others)) = (start(&settings), start(&settings));
    until_heard(&one, &mut other.subscribe()).await;
    let (admin, options) = admin(&settings);
    let topic = format!("{}.ephemeral", settings.topic);
    let told = admin.describe_configs([&ResourceSpecifier::Topic(&topic)], &options).await.expect("the broker answers");
    let told = told.into_iter().next().expect("an answer").expect("a topic");
    let value = |name: &str| told.get(name).and_then(|entry| entry.value.clone());
    assert_eq!((value("retention.ms"), value("segment.ms")), (Some("60000".to_owned()), Some("60000".to_owned())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_on_the_topic_are_counted_and_passed_over() {
    let settings = settings("hub-strangers");
    let ((one, _tasks), (other, _others)) = (start(&settings), start(&settings));
    let mut far = other.subscribe();
    until_heard(&one, &mut far).await;
    let topic = format!("{}.ephemeral", settings.topic);
    let stranger: FutureProducer = plain(&settings).create().expect("a producer");
    let header = |key, value: &'static [u8]| OwnedHeaders::new().insert(Header { key, value: Some(value) });
    let known = header("s", &[3; 16]).insert(Header { key: "n", value: Some(&1_u64.to_le_bytes()) });
    for headers in [OwnedHeaders::new(), header("s", &[3; 16]), header("s", b"short"), known] {
        let record = FutureRecord::<(), [u8]>::to(&topic).partition(0).headers(headers).payload(b"\xff\xff");
        stranger.send(record, WAIT).await.expect("the broker takes it");
    }
    let before = one.figures().published;
    one.publish(checkpointed(1, 7));
    while next(&mut far).await != checkpointed(1, 7) {}
    assert_eq!((other.figures().garbage, one.figures().published), (4, before + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_broker_a_process_hears_itself_and_waits_for_nobody() {
    // A port that nobody listens on: bound, and given up.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    let settings = KafkaSettings { brokers: format!("127.0.0.1:{port}"), ..settings("hub-dead") };
    let (hub, tasks) = start(&settings);
    let mut subscriber = hub.subscribe();
    let started = Clock::system();
    const MANY: u64 = 50_000;
    for offset in 0..MANY {
        hub.publish(checkpointed(0, offset));
        assert_eq!(subscriber.try_next(), Some(Heard::Message(checkpointed(0, offset))));
    }
    let took = started.monotonic();
    assert!(took < Duration::from_secs(5), "{took:?}");
    let told = async {
        while hub.figures().batches_failed + hub.figures().outward_dropped == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(WAIT, told).await.expect("a loss that is counted");
    tasks.stop(0);
    tokio::time::timeout(Duration::from_secs(10), tasks.run()).await.expect("an end, soon");
}
