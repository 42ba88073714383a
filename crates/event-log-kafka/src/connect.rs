//! To the brokers: reach one that lets us in, find topics, read what is needed to open a log. All of it blocks.

use std::time::{Duration, Instant};

use corral_domain::{Micros, Offset};
use corral_event_log::LogError;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::metadata::Metadata;
use rdkafka::producer::Producer as _;
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::append::Producer;
use crate::context::Context;
use crate::error::{is_missing, log_error};
use crate::header;
use crate::timing::{EXTENT_MS_MAX, LEADERS_MS_MAX, LOOK_MS_MAX, REACH_MS_MAX, READ_MS_MAX};

const LOOK: Duration = Duration::from_millis(LOOK_MS_MAX);
const PAUSE: Duration = Duration::from_millis(50);

/// A point in real time: librdkafka's own waits are of that time too.
pub(crate) struct Deadline(Instant);

impl Deadline {
    #[allow(clippy::disallowed_methods)]
    pub(crate) fn after_ms(ms: u64) -> Self {
        Self(Instant::now() + Duration::from_millis(ms))
    }

    #[allow(clippy::disallowed_methods)]
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.0
    }
}

/// Returns once a broker answered us; names the setting that is in the way where waiting does not help.
pub(crate) fn reach(producer: &Producer, context: &Context) -> Result<(), LogError> {
    let deadline = Deadline::after_ms(REACH_MS_MAX);
    loop {
        let Err(error) = producer.client().fetch_metadata(Some("corral.reach"), LOOK / 4) else { return Ok(()) };
        match context.trouble() {
            Some(trouble) if trouble.is_final => {
                return Err(LogError::Invalid(format!("{}: {}", trouble.setting, trouble.reason)));
            }
            Some(trouble) if deadline.is_over() => {
                return Err(LogError::Unavailable(format!("{}: {}", trouble.setting, trouble.reason)));
            }
            None if deadline.is_over() => return Err(log_error("kafka.brokers: none answers", &error)),
            _ => {}
        }
    }
}

/// The topic's metadata, if it exists.
pub(crate) fn find(producer: &Producer, topic: &str) -> Result<Option<Metadata>, LogError> {
    let failed = |error: &KafkaError| log_error(&format!("topic {topic} could not be looked up"), error);
    let metadata = producer.client().fetch_metadata(Some(topic), Duration::from_millis(EXTENT_MS_MAX));
    let metadata = metadata.map_err(|error| failed(&error))?;
    match metadata.topics().first().and_then(|topic| topic.error()) {
        None => Ok(Some(metadata)),
        Some(code) => {
            let error = KafkaError::MetadataFetch(RDKafkaErrorCode::from(code));
            if is_missing(&error) { Ok(None) } else { Err(failed(&error)) }
        }
    }
}

/// How a topic is laid out.
pub(crate) struct Shape {
    pub(crate) partitions: usize,
    /// Of the partition with the fewest.
    pub(crate) replicas: u16,
}

/// Returns how the topic is laid out, once each of its partitions has a leader.
pub(crate) fn with_leaders(producer: &Producer, topic: &str) -> Result<Shape, LogError> {
    let deadline = Deadline::after_ms(LEADERS_MS_MAX);
    loop {
        if let Some(metadata) = find(producer, topic)? {
            let partitions = metadata.topics()[0].partitions();
            if !partitions.is_empty() && partitions.iter().all(|partition| partition.leader() >= 0) {
                let replicas = partitions.iter().map(|partition| partition.replicas().len() as u16).min();
                return Ok(Shape { partitions: partitions.len(), replicas: replicas.unwrap_or_default() });
            }
        }
        if deadline.is_over() {
            return Err(LogError::Unavailable(format!("kafka: topic {topic} has partitions without a leader")));
        }
        std::thread::sleep(PAUSE);
    }
}

/// First offset and end of a partition, asked of its leader.
pub(crate) fn ends(producer: &Producer, (topic, partition): (&str, u16)) -> Result<(Offset, Offset), KafkaError> {
    let deadline = Deadline::after_ms(EXTENT_MS_MAX);
    loop {
        match producer.client().fetch_watermarks(topic, i32::from(partition), LOOK) {
            Ok((start, end)) => return Ok((Offset(start.max(0) as u64), Offset(end.max(0) as u64))),
            Err(error) if is_missing(&error) || deadline.is_over() => return Err(error),
            // A leader that is gone, or not yet known.
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// The records of one partition from `from` up to `end`: the bytes and append time of each.
pub(crate) fn read(
    consumer: &BaseConsumer<Context>,
    (topic, partition): (&str, u16),
    (from, end): (Offset, Offset),
) -> Result<Vec<(Vec<u8>, Micros)>, LogError> {
    let what = || format!("partition {partition} of {topic} could not be read");
    let mut place = TopicPartitionList::new();
    let added = place.add_partition_offset(topic, i32::from(partition), rdkafka::Offset::Offset(from.0 as i64));
    added.and_then(|()| consumer.assign(&place)).map_err(|error| log_error(&what(), &error))?;
    let deadline = Deadline::after_ms(READ_MS_MAX);
    let (mut found, mut next) = (Vec::new(), from);
    while next < end {
        match consumer.poll(LOOK) {
            Some(Ok(message)) if message.offset() >= next.0 as i64 => {
                found.push((message.payload().unwrap_or_default().to_vec(), header::append_time(&message)));
                next = Offset(message.offset() as u64 + 1);
            }
            Some(Ok(_)) => {}
            Some(Err(error)) if deadline.is_over() => return Err(log_error(&what(), &error)),
            None if deadline.is_over() => return Err(LogError::Unavailable(format!("kafka: {}", what()))),
            Some(Err(_)) | None => {}
        }
    }
    Ok(found)
}

/// A consumer for `read`.
pub(crate) fn consumer(config: &ClientConfig, context: &Context) -> Result<BaseConsumer<Context>, LogError> {
    let made = config.create_with_context(context.clone());
    made.map_err(|error| log_error("no consumer could be made", &error))
}
