//! The topics: made with the settings that a log needs; one that exists is held to them, all that is wrong at once.

use corral_event_log::LogError;
use rdkafka::admin::{ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;

use crate::admin::{Admin, options};
use crate::connect::Shape;
use crate::error::log_error;
use crate::settings::KafkaSettings;

/// A record, its headers and Kafka's own frame around them (Kafka's default, and what most services allow at most).
const MESSAGE_BYTES_MAX: u64 = 1_048_588;
/// What a record can come to: `RECORD_BYTES_MAX` and its headers.
const MESSAGE_BYTES_MIN: u64 = 910_000;
const EPHEMERAL_RETENTION_MS: &str = "60000";
const EPHEMERAL_SEGMENT_BYTES: &str = "16777216";

/// Makes a topic of the log.
pub(crate) async fn create(
    admin: &Admin,
    settings: &KafkaSettings,
    name: &str,
    partitions: u16,
) -> Result<(), LogError> {
    if !settings.create_topics {
        return Err(LogError::Invalid(format!("kafka.topic: {name} does not exist, and kafka.create_topics is off")));
    }
    let in_sync = in_sync(settings.replicas).to_string();
    let bytes = MESSAGE_BYTES_MAX.to_string();
    let replication = TopicReplication::Fixed(i32::from(settings.replicas));
    let topic = NewTopic::new(name, i32::from(partitions), replication)
        .set("cleanup.policy", "delete")
        .set("retention.ms", "-1")
        .set("retention.bytes", "-1")
        .set("min.insync.replicas", &in_sync)
        .set("unclean.leader.election.enable", "false")
        .set("max.message.bytes", &bytes);
    make(admin, settings, &topic).await
}

/// Makes the topic of the hub, if it is not there: one partition, which forgets after a minute.
pub(crate) async fn create_ephemeral(admin: &Admin, settings: &KafkaSettings) -> Result<(), LogError> {
    if !settings.create_topics {
        return Ok(());
    }
    let name = settings.hub_topic();
    let topic = NewTopic::new(&name, 1, TopicReplication::Fixed(i32::from(settings.replicas)))
        .set("cleanup.policy", "delete")
        .set("retention.ms", EPHEMERAL_RETENTION_MS)
        // What is kept for a minute leaves with the segment that it is in.
        .set("segment.ms", EPHEMERAL_RETENTION_MS)
        .set("segment.bytes", EPHEMERAL_SEGMENT_BYTES)
        .set("min.insync.replicas", "1");
    make(admin, settings, &topic).await
}

/// That another process made it meanwhile is as good.
async fn make(admin: &Admin, settings: &KafkaSettings, topic: &NewTopic<'_>) -> Result<(), LogError> {
    let name = topic.name;
    let made = admin.client()?.create_topics([topic], &options()).await;
    let made = made.map_err(|error| log_error(&format!("topic {name} could not be made"), &error))?;
    match made.into_iter().next() {
        Some(Err((_, RDKafkaErrorCode::InvalidReplicationFactor))) => Err(LogError::Invalid(format!(
            "kafka.replicas: {} are wanted, but the cluster has fewer brokers; topic {name} was not made",
            settings.replicas
        ))),
        Some(Err((_, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => {
            let error = rdkafka::error::KafkaError::AdminOp(code);
            Err(log_error(&format!("topic {name} could not be made"), &error))
        }
        _ => Ok(()),
    }
}

/// Refuses a topic on which records could be lost or refused.
pub(crate) async fn check(
    admin: &Admin,
    settings: &KafkaSettings,
    (name, partitions): (&str, u16),
    shape: &Shape,
) -> Result<(), LogError> {
    let mut wrong = wrong_shape(settings, partitions, shape);
    let told = admin.client()?.describe_configs([&ResourceSpecifier::Topic(name)], &options()).await;
    match told.map(|told| told.into_iter().next()) {
        Ok(Some(Ok(resource))) => wrong.extend(wrong_settings(settings, shape.replicas, &resource)),
        Ok(Some(Err(error))) => tracing::warn!(topic = name, %error, "the topic's settings could not be checked"),
        Ok(None) => tracing::warn!(topic = name, "the topic's settings could not be checked"),
        Err(error) => return Err(log_error(&format!("the settings of topic {name} could not be read"), &error)),
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(LogError::Invalid(format!("kafka.topic: {name} cannot hold a log: {}", wrong.join("; "))))
}

/// All replicas but one have to have what is acknowledged, so that one may be lost, and one away.
fn in_sync(replicas: u16) -> u16 {
    (replicas / 2 + 1).min(replicas)
}

fn wrong_shape(settings: &KafkaSettings, partitions: u16, has: &Shape) -> Vec<String> {
    let mut wrong = Vec::new();
    if has.partitions != usize::from(partitions) {
        let has = has.partitions;
        wrong.push(format!("it has {has} partitions, not {partitions} (the count can never change)"));
    }
    if has.replicas < settings.replicas {
        wrong.push(format!("it has {} replicas, kafka.replicas wants {}", has.replicas, settings.replicas));
    }
    wrong
}

/// What a broker does not tell is left out: some services hide their settings.
fn wrong_settings(settings: &KafkaSettings, replicas: u16, resource: &ConfigResource) -> Vec<String> {
    let told = |name: &str| resource.get(name).and_then(|entry| entry.value.clone());
    let number = |name: &str| told(name).and_then(|value| value.parse::<i64>().ok());
    let mut wrong = Vec::new();
    let mut hold = |name: &str, holds: bool, wants: String| {
        if !holds {
            wrong.push(format!("{name} is {}, must be {wants}", told(name).unwrap_or_default()));
        }
    };
    hold("cleanup.policy", told("cleanup.policy").is_none_or(|policy| policy == "delete"), "delete".to_owned());
    for name in ["retention.ms", "retention.bytes"] {
        let forgets = number(name).is_some_and(|limit| limit >= 0) && !settings.allow_retention;
        hold(name, !forgets, "-1 (or set kafka.allow_retention)".to_owned());
    }
    let least = in_sync(settings.replicas.min(replicas));
    let enough = number("min.insync.replicas").is_none_or(|count| count >= i64::from(least));
    hold("min.insync.replicas", enough, format!("{least} or more"));
    let unclean = told("unclean.leader.election.enable").is_some_and(|value| value == "true");
    hold("unclean.leader.election.enable", !unclean, "false".to_owned());
    let fits = number("max.message.bytes").is_none_or(|bytes| bytes >= MESSAGE_BYTES_MIN as i64);
    hold("max.message.bytes", fits, format!("{MESSAGE_BYTES_MIN} or more"));
    wrong
}
