//! The event log on Apache Kafka, or on a service that speaks its protocol.
//!
//! A partition of the log is a partition of one topic, a record is a record of Kafka, an offset is Kafka's. Which log it is
//! stands in a topic of its own (`identity.rs`). Append times are stamped here, in a header (`header.rs`): they rise within
//! a process; where several append, the projections make them rise in each stream.
//!
//! ```text
//! settings.rs  what an operator says        connect.rs  reaching brokers, or naming the setting in the way
//! topic.rs     topics and their settings    append.rs   the one producer of the process
//! read.rs      consumers, each at a place   lane.rs     what is known of a partition, and why it was stopped
//! hub.rs       the hubs of several processes, joined by a topic of one minute
//! ```
//!
//! **Alarms.** Kafka moves a client that asks for what is not there to where something is, unless it is told not to. Here
//! nothing is ever moved: a place out of range is an error; an end before what was acknowledged (a broker lost records) or
//! another log id (the topic was made anew) stops the partition for this process, and every call says why.
//!
//! **What an acknowledgement means**: the record is on all replicas in sync, of which there are at least
//! `min.insync.replicas`. Kafka does not wait for the disk; losing that many machines at one moment can lose it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use corral_domain::limits::LOG_READ_BYTES_MAX;
use corral_domain::{Offset, Partition};
use corral_event_log::{
    Appended, Batch, Clock, EventLog, Extent, LogError, LogIdentity, check_append, check_partition,
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::admin::Admin;
use crate::append::{AppendError, Appender};
pub use crate::append::{Figures, TraceParent};
use crate::context::Context;
use crate::error::{is_missing, is_out_of_range, log_error};
pub use crate::hub::KafkaHub;
use crate::lane::{Alarm, Lane};
use crate::open::Brokers;
use crate::read::{ReadError, Reader};
pub use crate::settings::{KafkaSettings, Login, PARTITIONS, PARTITIONS_MAX, REPLICAS, Sasl, Tls};

mod admin;
mod append;
mod connect;
mod context;
mod error;
mod header;
mod hub;
mod identity;
mod lane;
mod open;
mod read;
mod settings;
mod timing;
mod token;
mod topic;

/// What a log is given beside its settings.
#[derive(Clone)]
pub struct Options {
    pub clock: Clock,
    /// Each record carries its trace in a header.
    pub trace: Option<TraceParent>,
}

/// A log on Kafka. Dropping it gives up what waits; it blocks for as long as its clients need to end.
pub struct KafkaLog {
    identity: LogIdentity,
    brokers: Arc<Brokers>,
    admin: Admin,
    appender: Appender,
    lanes: Vec<(Lane, Reader)>,
}

impl KafkaLog {
    /// Opens or makes the log. Brokers that cannot be reached, or do not let us in, are an error within 10 s that names
    /// the setting to look at; so are topics that cannot hold a log.
    pub async fn open(settings: KafkaSettings, options: Options) -> Result<Self, LogError> {
        settings.check()?;
        let context = Context::new(&settings, Arc::clone(&options.clock));
        let producer = append::producer(settings.client(), context.clone())?;
        let brokers = Arc::new(Brokers { consumer: read::config(settings.client()), settings, context, producer });
        blocking(&brokers, Brokers::reach).await?;
        let admin = Admin::new(&brokers.settings, brokers.context.clone())?;
        let identity = open::identity(&brokers, &admin).await?;
        let partitions = 0..identity.partitions;
        let stands = blocking(&brokers, move |brokers| brokers.stands(partitions)).await?;
        let lane = |stand: open::Stand| {
            let Brokers { consumer, context, settings, .. } = &*brokers;
            let reader = Reader::new(consumer.clone(), context.clone(), settings.topic.clone());
            (Lane::new(stand.partition, stand.tail, stand.last_time), reader)
        };
        let lanes = stands.into_iter().map(lane).collect();
        let topic = brokers.settings.topic.clone();
        let appender = Appender::new(brokers.producer.clone(), topic, options.clock, options.trace);
        Ok(Self { identity, brokers, admin, appender, lanes })
    }

    pub fn figures(&self) -> Figures {
        self.appender.figures()
    }

    fn lane(&self, partition: Partition) -> Result<&(Lane, Reader), LogError> {
        check_partition(&self.identity, partition)?;
        let lane = &self.lanes[usize::from(partition.0)];
        lane.0.check()?;
        Ok(lane)
    }

    /// Start and end of a partition, as its leader says. An end below what is known stops the partition, but not before
    /// it was looked at again: a leader that was just made one may not know yet how far the others are.
    async fn ends(&self, lane: &Lane) -> Result<(Offset, Offset), LogError> {
        const LOOKS_COUNT_MAX: u32 = 6;
        let mut looks = 0;
        loop {
            let known = lane.tail();
            let partition = lane.partition;
            let ends = blocking(&self.brokers, move |brokers| Ok(brokers.ends(partition))).await?;
            match ends {
                Ok((start, end)) if end >= known => {
                    lane.reached(end);
                    return Ok((start, end));
                }
                Ok((_, end)) if looks == LOOKS_COUNT_MAX => return Err(self.lost(lane, known, end).await),
                Ok(_) => tokio::time::sleep(std::time::Duration::from_millis(timing::LOOK_MS_MAX / 2)).await,
                Err(error) if is_missing(&error) => return Err(self.missing(lane, &error).await),
                Err(error) => return Err(log_error(&format!("partition {partition} does not answer"), &error)),
            }
            looks += 1;
        }
    }

    /// Records that were acknowledged are not there: this log has lost them, or is another one.
    async fn lost(&self, lane: &Lane, was: Offset, end: Offset) -> LogError {
        match self.found().await {
            Ok(found) if found != Some(self.identity) => self.replaced(lane, found),
            _ => lane.stop(Alarm::Truncated { was, end }),
        }
    }

    /// The topic is not there.
    async fn missing(&self, lane: &Lane, error: &KafkaError) -> LogError {
        match self.found().await {
            Ok(found) if found != Some(self.identity) => self.replaced(lane, found),
            Ok(_) => LogError::Unavailable(format!("kafka: partition {}: {error}", lane.partition)),
            Err(error) => error,
        }
    }

    async fn found(&self) -> Result<Option<LogIdentity>, LogError> {
        blocking(&self.brokers, Brokers::found).await
    }

    fn replaced(&self, lane: &Lane, found: Option<LogIdentity>) -> LogError {
        let found = found.map_or_else(|| "nothing".to_owned(), |found| found.log_id.to_string());
        lane.stop(Alarm::Replaced { expected: self.identity.log_id, found })
    }

    async fn delete_below(&self, lane: &Lane, below: Offset) -> Result<(), LogError> {
        let what = format!("partition {} could not be trimmed", lane.partition);
        let failed = |error: KafkaError| log_error(&what, &error);
        let mut places = TopicPartitionList::new();
        let (topic, partition) = (&self.brokers.settings.topic, i32::from(lane.partition.0));
        let below = rdkafka::Offset::Offset(below.0 as i64);
        places.add_partition_offset(topic, partition, below).map_err(failed)?;
        let trimmed = self.admin.client()?.delete_records(&places, &admin::options()).await.map_err(failed)?;
        trimmed.elements().iter().try_for_each(|place| place.error()).map_err(failed)
    }

    async fn append_failed(&self, lane: &Lane, error: AppendError) -> LogError {
        let error = match error {
            AppendError::Log(error) => return error,
            AppendError::Below { floor, end } => return self.lost(lane, floor, end).await,
            AppendError::Kafka(error) => error,
        };
        let timed_out = error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageTimedOut);
        if is_missing(&error) || timed_out {
            // librdkafka waits for a topic that was deleted as it does for a leader: the brokers are asked.
            let partition = lane.partition;
            let gone = blocking(&self.brokers, move |brokers| Ok(brokers.is_gone(partition))).await;
            if let Ok(Some(gone)) = gone {
                return self.missing(lane, &gone).await;
            }
        }
        log_error(&format!("an append to partition {} failed", lane.partition), &error)
    }

    async fn read_failed(&self, lane: &Lane, from: Offset, error: ReadError) -> LogError {
        let ends = match &error {
            ReadError::Kafka(error) if is_missing(error) => return self.missing(lane, error).await,
            ReadError::Kafka(error) if !is_out_of_range(error) => {
                return log_error(&format!("partition {} could not be read", lane.partition), error);
            }
            _ => self.ends(lane).await,
        };
        match ends {
            Err(error) => error,
            Ok((start, end)) if from < start || from > end => out_of_range(lane, from, (start, end)),
            Ok(_) => LogError::Unavailable(format!("kafka: partition {}: nothing came from {from} on", lane.partition)),
        }
    }
}

#[async_trait]
impl EventLog for KafkaLog {
    fn identity(&self) -> LogIdentity {
        self.identity
    }

    async fn append(&self, partition: Partition, records: Vec<Bytes>) -> Result<Appended, LogError> {
        check_append(&self.identity, partition, &records)?;
        let (lane, _) = self.lane(partition)?;
        match self.appender.append(lane, records).await {
            Ok(appended) => Ok(appended),
            Err(error) => Err(self.append_failed(lane, error).await),
        }
    }

    async fn read(&self, partition: Partition, from: Offset, bytes_max: usize) -> Result<Batch, LogError> {
        let (lane, reader) = self.lane(partition)?;
        if from >= lane.tail() {
            let ends = self.ends(lane).await?;
            if from > ends.1 {
                return Err(out_of_range(lane, from, ends));
            }
            if from == ends.1 {
                return Ok(Batch { next: from, ..Batch::default() });
            }
        }
        match reader.read(lane, from, bytes_max.min(LOG_READ_BYTES_MAX)).await {
            Ok(batch) => Ok(batch),
            Err(error) => Err(self.read_failed(lane, from, error).await),
        }
    }

    async fn extent(&self, partition: Partition) -> Result<Extent, LogError> {
        let (start, tail) = self.ends(&self.lane(partition)?.0).await?;
        Ok(Extent { start, tail, holes: Vec::new(), late_us_max: timing::STAMP_US_MAX })
    }

    async fn wait(&self, partition: Partition, from: Offset) -> Result<(), LogError> {
        let (lane, reader) = self.lane(partition)?;
        loop {
            if lane.tail() > from {
                return lane.check();
            }
            let tail = lane.tail();
            tokio::select! {
                biased;
                passed = lane.passed(from) => return passed,
                followed = reader.follow(lane) => if let Err(error) = followed {
                    let error = self.read_failed(lane, tail, error).await;
                    lane.check()?;
                    // A trim up to the end, or a broker that is away: who waits for records goes on waiting.
                    tracing::debug!(%error, "a partition is waited for");
                    tokio::time::sleep(std::time::Duration::from_millis(timing::LOOK_MS_MAX)).await;
                },
            }
        }
    }

    async fn trim(&self, partition: Partition, below: Offset) -> Result<Offset, LogError> {
        let (lane, _) = self.lane(partition)?;
        let (start, end) = self.ends(lane).await?;
        if below > end {
            return Err(out_of_range(lane, below, (start, end)));
        }
        if below <= start {
            return Ok(start);
        }
        self.delete_below(lane, below).await?;
        Ok(self.ends(lane).await?.0)
    }
}

fn out_of_range(lane: &Lane, offset: Offset, (start, end): (Offset, Offset)) -> LogError {
    LogError::OutOfRange { partition: lane.partition, offset, start, end }
}

/// Runs what blocks in librdkafka on a thread for that.
async fn blocking<T: Send + 'static>(
    brokers: &Arc<Brokers>,
    call: impl FnOnce(&Brokers) -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    let brokers = Arc::clone(brokers);
    let ended = tokio::task::spawn_blocking(move || call(&brokers)).await;
    ended.unwrap_or_else(|_| Err(LogError::Unavailable("kafka: the process is ending".to_owned())))
}
