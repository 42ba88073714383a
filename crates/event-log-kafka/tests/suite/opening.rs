//! Which log it is, and topics that cannot hold one.

use bytes::Bytes;
use corral_domain::{Offset, Partition};
use corral_event_log::EventLog;
use corral_event_log_kafka::{KafkaLog, KafkaSettings, Options};
use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::TopicPartitionList;
use tokio::task::JoinSet;

use crate::broker::{admin, plain, record, refused, settings};
use crate::support::{clock, open};

async fn make_topic(settings: &KafkaSettings, name: &str, partitions: i32, config: &[(&str, &str)]) {
    let (admin, options) = admin(settings);
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    let topic = config.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
    let made = admin.create_topics([&topic], &options).await.expect("the broker answers");
    assert_eq!(made, vec![Ok(name.to_owned())]);
}

#[tokio::test]
async fn processes_that_open_a_new_log_at_once_agree() {
    let settings = settings("agree");
    let mut opening = JoinSet::new();
    for _ in 0..4 {
        let settings = settings.clone();
        opening.spawn(async move { open(&settings).await.expect("it opens").identity() });
    }
    let identities = opening.join_all().await;
    assert!(identities.iter().all(|identity| *identity == identities[0]), "{identities:?}");
}

#[tokio::test]
async fn the_count_of_partitions_never_changes() {
    let settings = settings("count");
    open(&settings).await.expect("it opens");
    let error = refused(&KafkaSettings { partitions: 3, ..settings.clone() }).await;
    assert!(error.contains("kafka.topic") && error.contains("it has 2 partitions, not 3"), "{error}");
}

#[tokio::test]
async fn a_topic_that_would_lose_records_is_refused_with_all_that_is_wrong() {
    let settings = settings("unfit");
    let wrong = [
        ("cleanup.policy", "compact"),
        ("retention.ms", "1000"),
        ("unclean.leader.election.enable", "true"),
        ("max.message.bytes", "1000"),
    ];
    make_topic(&settings, &settings.topic, 1, &wrong).await;
    let error = refused(&settings).await;
    for says in [
        "1 partitions, not 2",
        "cleanup.policy is compact, must be delete",
        "retention.ms is 1000, must be -1",
        "unclean.leader.election.enable is true",
        "max.message.bytes is 1000, must be 910000 or more",
    ] {
        assert!(error.contains(says), "{error} says {says}");
    }
}

#[tokio::test]
async fn a_topic_that_forgets_by_itself_has_to_be_allowed() {
    let settings = settings("forgets");
    make_topic(&settings, &settings.topic, 2, &[("retention.ms", "86400000")]).await;
    assert!(refused(&settings).await.contains("retention.ms is 86400000, must be -1 (or set kafka.allow_retention)"));
    open(&KafkaSettings { allow_retention: true, ..settings }).await.expect("it opens");
}

#[tokio::test]
async fn what_cannot_be_made_is_said() {
    let settings = settings("unmade");
    let error = refused(&KafkaSettings { create_topics: false, ..settings.clone() }).await;
    assert!(
        error.contains("kafka.topic") && error.contains("does not exist, and kafka.create_topics is off"),
        "{error}"
    );
    let error = refused(&KafkaSettings { replicas: 3, ..settings }).await;
    assert!(error.contains("kafka.replicas: 3 are wanted"), "{error}");
}

#[tokio::test]
async fn records_without_an_identity_are_not_taken_for_a_log() {
    let settings = settings("foreign");
    make_topic(&settings, &settings.topic, 2, &[("retention.ms", "-1")]).await;
    let producer: rdkafka::producer::FutureProducer = plain(&settings).create().expect("a producer");
    let message = rdkafka::producer::FutureRecord::<(), [u8]>::to(&settings.topic).partition(1).payload(b"foreign");
    producer.send(message, std::time::Duration::from_secs(5)).await.expect("it is there");
    assert!(refused(&settings).await.contains("holds records, but"));
}

#[tokio::test]
async fn a_record_carries_its_append_time_and_its_trace() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let settings = settings("headers");
    let of: corral_event_log_kafka::TraceParent =
        std::sync::Arc::new(|record| (record == "record 1").then(|| PARENT.to_owned()));
    let log = KafkaLog::open(settings.clone(), Options { clock: clock(), trace: Some(of) }).await.expect("it opens");
    log.append(Partition(1), vec![record(1), Bytes::new()]).await.expect("appended");
    let read = log.read(Partition(1), Offset::ZERO, 1_000).await.expect("read").records;
    let consumer: BaseConsumer = plain(&settings).set("group.id", "test").create().expect("a consumer");
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(&settings.topic, 1, rdkafka::Offset::Beginning).expect("a place");
    consumer.assign(&place).expect("assigned");
    let figures = log.figures();
    assert_eq!((figures.appends, figures.records, figures.bytes, figures.refused), (1, 2, 8, 0));
    assert!(figures.append_us > 0 && figures.queue_bytes == 0 && figures.queue_bytes_max > 0);
    // Each its own: records of several traces are appended together.
    for (record, trace) in read.into_iter().zip([Some(PARENT), None]) {
        let message = consumer.poll(std::time::Duration::from_secs(20)).expect("in time").expect("a record");
        let headers = message.headers().expect("headers");
        let time = record.append_time.0.to_le_bytes();
        let expect = [Some(("t", &time[..])), trace.map(|trace| ("traceparent", trace.as_bytes()))];
        let found: Vec<_> = headers.iter().map(|header| (header.key, header.value.expect("a value"))).collect();
        assert_eq!(found, expect.into_iter().flatten().collect::<Vec<_>>());
    }
}
