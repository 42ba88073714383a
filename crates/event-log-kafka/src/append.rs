//! Appending: one producer for the process, idempotent, acknowledged by all replicas in sync.
//!
//! Records leave as soon as they are queued (no linger: it would add its own length to a lone append), five requests at a
//! time; under load those that queue up meanwhile form the next batch. Retries keep their order and double nothing, as the
//! brokers know the producer and number its batches. An append that failed may still be there: its answer was lost, or it
//! gave up waiting. Whoever appends again then doubles it in the log, which the deduplication stage is there for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use corral_domain::limits::{APPEND_BYTES_MAX, LOG_APPEND_WAIT_MS_MAX};
use corral_domain::{Micros, Offset};
use corral_event_log::{Appended, Clock, LogError};
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::future_producer::{DeliveryFuture, OwnedDeliveryResult};
use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::context::Context;
use crate::error::log_error;
use crate::header;
use crate::lane::Lane;
use crate::timing::DELIVERY_MS_MAX;

/// Appends of all partitions that wait for their acknowledgement.
pub(crate) const QUEUE_BYTES_MAX: usize = 8 * APPEND_BYTES_MAX;
/// What a record costs beside its bytes: its headers, and librdkafka's account of it.
const RECORD_OVERHEAD_BYTES: usize = 256;
/// A batch. The brokers' own bound on one is only a little above.
const BATCH_BYTES_MAX: usize = 1_000_000;

/// The trace that a record belongs to, as a W3C `traceparent`: asked of its bytes, which this log cannot read.
pub type TraceParent = Arc<dyn Fn(&Bytes) -> Option<String> + Send + Sync>;

pub(crate) type Producer = FutureProducer<Context>;

pub(crate) struct Appender {
    pub(crate) producer: Producer,
    topic: String,
    clock: Clock,
    trace: Option<TraceParent>,
    room: Semaphore,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    appends: AtomicU64,
    append_us: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
    refused: AtomicU64,
}

/// What this process has appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub appends: u64,
    /// From when each was asked for to its acknowledgement, added up.
    pub append_us: u64,
    pub records: u64,
    pub bytes: u64,
    pub refused: u64,
    pub queue_bytes: u64,
    pub queue_bytes_max: u64,
}

impl Figures {
    /// (name, help, value), in the order in which they are shown; the names are those of every log.
    pub fn read(&self) -> Vec<(&'static str, &'static str, u64)> {
        vec![
            ("corral_log_appends_total", "appends acknowledged", self.appends),
            ("corral_log_append_us_total", "microseconds until they were, added up", self.append_us),
            ("corral_log_records_total", "records appended", self.records),
            ("corral_log_bytes_total", "bytes appended", self.bytes),
            ("corral_log_refused_total", "appends that were not acknowledged", self.refused),
            ("corral_log_queue_bytes", "bytes that wait to be appended", self.queue_bytes),
            ("corral_log_queue_bytes_max", "how many may wait", self.queue_bytes_max),
        ]
    }
}

impl Appender {
    pub(crate) fn new(producer: Producer, topic: String, clock: Clock, trace: Option<TraceParent>) -> Self {
        let room = Semaphore::new(QUEUE_BYTES_MAX);
        Self { producer, topic, clock, trace, room, counters: Counters::default() }
    }

    pub(crate) fn figures(&self) -> Figures {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { appends, append_us, records, bytes, refused } = &self.counters;
        Figures {
            appends: of(appends),
            append_us: of(append_us),
            records: of(records),
            bytes: of(bytes),
            refused: of(refused),
            queue_bytes: (QUEUE_BYTES_MAX - self.room.available_permits()) as u64,
            queue_bytes_max: QUEUE_BYTES_MAX as u64,
        }
    }

    /// Appends records that were checked; answers when all are durable.
    pub(crate) async fn append(&self, lane: &Lane, records: Vec<Bytes>) -> Result<Appended, AppendError> {
        let (count, bytes) = (records.len(), records.iter().map(Bytes::len).sum::<usize>());
        let started = tokio::time::Instant::now();
        let appended = self.append_uncounted(lane, records).await;
        let add = |counter: &AtomicU64, by: u64| counter.fetch_add(by, Ordering::Relaxed);
        if appended.is_ok() {
            add(&self.counters.appends, 1);
            add(&self.counters.append_us, started.elapsed().as_micros() as u64);
            add(&self.counters.records, count as u64);
            add(&self.counters.bytes, bytes as u64);
        } else {
            add(&self.counters.refused, 1);
        }
        appended
    }

    async fn append_uncounted(&self, lane: &Lane, records: Vec<Bytes>) -> Result<Appended, AppendError> {
        let _room = self.room(&records).await?;
        let floor = lane.tail();
        let queued = self.queue(lane, &records);
        let mut offsets = Vec::with_capacity(records.len());
        let mut failed = None;
        for delivery in queued.deliveries {
            // All are awaited, whatever became of the first: the room is theirs until librdkafka is done with them.
            match delivered(delivery.await) {
                Ok(offset) => offsets.push(offset),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let Some(error) = failed.or(queued.refused) {
            return Err(AppendError::Kafka(error));
        }
        let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
        if first < floor {
            // What had been acknowledged when this was queued lay below `floor`, so the log has lost it since.
            return Err(AppendError::Below { floor, end: first });
        }
        lane.reached(last.next());
        Ok(Appended { partition: lane.partition, offsets })
    }

    async fn room(&self, records: &[Bytes]) -> Result<SemaphorePermit<'_>, LogError> {
        let bytes: usize = records.iter().map(|record| record.len() + RECORD_OVERHEAD_BYTES).sum();
        let wait = Duration::from_millis(LOG_APPEND_WAIT_MS_MAX);
        let permits = bytes.min(QUEUE_BYTES_MAX) as u32;
        match tokio::time::timeout(wait, self.room.acquire_many(permits)).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(LogError::Unavailable(format!(
                "kafka: more than {QUEUE_BYTES_MAX} bytes wait for the brokers (append_wait_ms_max {LOG_APPEND_WAIT_MS_MAX})"
            ))),
        }
    }

    /// Stamps and queues the records behind one another.
    fn queue(&self, lane: &Lane, records: &[Bytes]) -> Queued {
        lane.in_order(|last| {
            let mut queued = Queued { deliveries: Vec::with_capacity(records.len()), refused: None };
            for record in records {
                let stamp = (self.clock)().max(Micros(last.0.saturating_add(1)));
                let trace = self.trace.as_ref().and_then(|trace| trace(record));
                let message = FutureRecord::<(), [u8]>::to(&self.topic)
                    .partition(i32::from(lane.partition.0))
                    .headers(header::write(stamp, trace.as_deref()))
                    .payload(record);
                match self.producer.send_result(message) {
                    Ok(delivery) => queued.deliveries.push(delivery),
                    Err((error, _)) => {
                        queued.refused = Some(error);
                        break;
                    }
                }
                *last = stamp;
            }
            queued
        })
    }
}

struct Queued {
    deliveries: Vec<DeliveryFuture>,
    refused: Option<KafkaError>,
}

/// Why an append failed, as far as can be said without asking the brokers again.
pub(crate) enum AppendError {
    Log(LogError),
    Kafka(KafkaError),
    /// The records were given offsets that had been acknowledged before.
    Below {
        floor: Offset,
        end: Offset,
    },
}

impl From<LogError> for AppendError {
    fn from(error: LogError) -> Self {
        AppendError::Log(error)
    }
}

pub(crate) fn producer(mut config: ClientConfig, context: Context) -> Result<Producer, LogError> {
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("max.in.flight.requests.per.connection", "5")
        .set("linger.ms", "0")
        .set("batch.size", BATCH_BYTES_MAX.to_string())
        .set("message.max.bytes", BATCH_BYTES_MAX.to_string())
        // Points are packed already, and compression costs more CPU than all the rest.
        .set("compression.type", "none")
        .set("message.timeout.ms", DELIVERY_MS_MAX.to_string())
        // Twice our own bound, which is the one that is felt.
        .set("queue.buffering.max.kbytes", (2 * QUEUE_BYTES_MAX / 1_024).to_string())
        .set("queue.buffering.max.messages", (2 * QUEUE_BYTES_MAX / RECORD_OVERHEAD_BYTES).to_string());
    config.create_with_context(context).map_err(|error| log_error("no producer could be made", &error))
}

fn delivered(result: Result<OwnedDeliveryResult, impl Sized>) -> Result<Offset, KafkaError> {
    match result {
        // The brokers know the batch as one that they have, but not where any more: appended again, it has a place.
        Ok(Ok(delivery)) if delivery.offset < 0 => {
            Err(KafkaError::MessageProduction(RDKafkaErrorCode::DuplicateSequenceNumber))
        }
        Ok(Ok(delivery)) => Ok(Offset(delivery.offset as u64)),
        Ok(Err((error, _))) => Err(error),
        Err(_) => Err(KafkaError::Canceled),
    }
}
