//! Reading one partition: a few consumers, each at a place of its own, so that those who follow the log and those who look
//! back do not take each other's place.
//!
//! A consumer is given its place by `assign`, belongs to no group and commits nothing: where to go on is in the read store.
//! A place that is not in the log is an error (`auto.offset.reset=error`), never another place.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use corral_domain::Offset;
use corral_event_log::{Batch, Hole, Record};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::TopicPartitionList;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::context::Context;
use crate::header;
use crate::lane::Lane;
use crate::timing::{FOLLOW_MS_MAX, MORE_MS_MAX, READ_MS_MAX};

/// Reads of one partition at one time, beside the one that follows its end.
const READS_COUNT_MAX: usize = 2;

/// The consumers of one partition.
pub(crate) struct Reader {
    config: ClientConfig,
    context: Context,
    topic: String,
    idle: Mutex<Vec<Cursor>>,
    reads: Semaphore,
    follows: Semaphore,
}

struct Cursor {
    consumer: StreamConsumer<Context>,
    /// The next record that the consumer gives; none if it has no place.
    next: Option<Offset>,
    /// A record that was taken and not wanted yet.
    back: Option<Record>,
}

/// A cursor for the time of one call; it goes back to the others.
struct Lease<'a> {
    reader: &'a Reader,
    cursor: Option<Cursor>,
    _permit: SemaphorePermit<'a>,
}

#[derive(Debug)]
pub(crate) enum ReadError {
    Kafka(KafkaError),
    /// Records that were known to be there did not come.
    Nothing,
}

impl From<KafkaError> for ReadError {
    fn from(error: KafkaError) -> Self {
        ReadError::Kafka(error)
    }
}

/// What a consumer is told beside what every client is.
pub(crate) fn config(mut config: ClientConfig) -> ClientConfig {
    config
        // Needed for a consumer to be given a place; nothing is ever committed under it.
        .set("group.id", "corral")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "false")
        .set("check.crcs", "true")
        .set("fetch.wait.max.ms", "500")
        .set("fetch.error.backoff.ms", "100")
        // By default a consumer whose queue was full waits a second before it fetches again.
        .set("fetch.queue.backoff.ms", "5")
        .set("max.partition.fetch.bytes", "4194304")
        .set("queued.max.messages.kbytes", "16384");
    config
}

impl Reader {
    pub(crate) fn new(config: ClientConfig, context: Context, topic: String) -> Self {
        let (reads, follows) = (Semaphore::new(READS_COUNT_MAX), Semaphore::new(1));
        Self { config, context, topic, idle: Mutex::default(), reads, follows }
    }

    /// Records from `from` on, which is below the lane's tail.
    pub(crate) async fn read(&self, lane: &Lane, from: Offset, bytes_max: usize) -> Result<Batch, ReadError> {
        let mut lease = self.lease(&self.reads, lane, from).await?;
        let mut batch = Batch { next: from, ..Batch::default() };
        let (mut bytes, mut wait) = (0, READ_MS_MAX);
        while batch.next < lane.tail() {
            let record = match lease.next(Duration::from_millis(wait)).await {
                Ok(Some(record)) => record,
                Err(error) if batch.records.is_empty() => return Err(error.into()),
                Ok(None) | Err(_) => break,
            };
            bytes += record.bytes.len();
            if !batch.records.is_empty() && bytes > bytes_max {
                lease.give_back(record);
                break;
            }
            if record.offset > batch.next {
                batch.holes.push(Hole { partition: lane.partition, from: batch.next, to: record.offset });
            }
            batch.next = record.offset.next();
            batch.records.push(record);
            wait = MORE_MS_MAX;
        }
        if batch.records.is_empty() { Err(ReadError::Nothing) } else { Ok(batch) }
    }

    /// Looks out for records from the lane's tail on, and moves it; one at a time, and not for ever.
    pub(crate) async fn follow(&self, lane: &Lane) -> Result<(), ReadError> {
        let mut lease = self.lease(&self.follows, lane, lane.tail()).await?;
        if let Some(record) = lease.next(Duration::from_millis(FOLLOW_MS_MAX)).await? {
            lane.reached(record.offset.next());
            lease.give_back(record);
        }
        Ok(())
    }

    async fn lease<'a>(&'a self, of: &'a Semaphore, lane: &Lane, from: Offset) -> Result<Lease<'a>, KafkaError> {
        let permit = of.acquire().await.map_err(|_| KafkaError::Canceled)?;
        let mut cursor = match self.idle_at(from) {
            Some(cursor) => cursor,
            None => {
                let consumer = self.config.create_with_context(self.context.clone())?;
                Cursor { consumer, next: None, back: None }
            }
        };
        if cursor.at() != Some(from) {
            cursor.go(&self.topic, lane, from)?;
        }
        Ok(Lease { reader: self, cursor: Some(cursor), _permit: permit })
    }

    /// An idle cursor: one that stands at `from`, else the one that was idle for longest once there are enough.
    fn idle_at(&self, from: Offset) -> Option<Cursor> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let at = idle.iter().position(|cursor| cursor.at() == Some(from));
        let spare = || idle.iter().position(|cursor| cursor.at().is_none());
        let enough = || (idle.len() >= READS_COUNT_MAX).then_some(0);
        at.or_else(spare).or_else(enough).map(|place| idle.remove(place))
    }
}

impl Cursor {
    /// The offset of what it gives next.
    fn at(&self) -> Option<Offset> {
        self.back.as_ref().map(|record| record.offset).or(self.next)
    }

    fn go(&mut self, topic: &str, lane: &Lane, from: Offset) -> Result<(), KafkaError> {
        (self.next, self.back) = (None, None);
        let mut place = TopicPartitionList::new();
        let offset = rdkafka::Offset::Offset(from.0.min(i64::MAX as u64) as i64);
        place.add_partition_offset(topic, i32::from(lane.partition.0), offset)?;
        self.consumer.assign(&place)?;
        self.next = Some(from);
        Ok(())
    }
}

impl Lease<'_> {
    /// The next record, if one comes in time. After an error the cursor has no place.
    async fn next(&mut self, wait: Duration) -> Result<Option<Record>, KafkaError> {
        let Some(cursor) = &mut self.cursor else { return Ok(None) };
        if let Some(record) = cursor.back.take() {
            return Ok(Some(record));
        }
        let Cursor { consumer, next, .. } = cursor;
        let Some(from) = *next else { return Ok(None) };
        let received = tokio::time::timeout(wait, received(consumer, from)).await;
        match received {
            Ok(Ok(record)) => {
                *next = Some(record.offset.next());
                Ok(Some(record))
            }
            Ok(Err(error)) => {
                *next = None;
                Err(error)
            }
            Err(_) => Ok(None),
        }
    }

    fn give_back(&mut self, record: Record) {
        if let Some(cursor) = &mut self.cursor {
            cursor.back = Some(record);
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.reader.idle.lock().unwrap_or_else(PoisonError::into_inner).extend(self.cursor.take());
    }
}

/// The next record from `from` on; what the consumer still had of its earlier place is passed over.
async fn received(consumer: &StreamConsumer<Context>, from: Offset) -> Result<Record, KafkaError> {
    loop {
        match consumer.recv().await {
            Ok(message) if message.offset() >= 0 && message.offset() as u64 >= from.0 => {
                let offset = Offset(message.offset() as u64);
                let append_time = header::append_time(&message);
                let bytes = Bytes::copy_from_slice(message.payload().unwrap_or_default());
                return Ok(Record { offset, append_time, bytes });
            }
            Ok(_) => {}
            Err(error) if is_passing(&error) => tracing::debug!(%error, "a consumer waits for its broker"),
            Err(error) => return Err(error),
        }
    }
}

/// Errors that librdkafka tells of and goes on trying.
pub(crate) fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::NotCoordinator
        )
    )
}
