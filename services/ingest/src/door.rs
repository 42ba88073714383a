//! What all connections share: the log they append to, the store where outcomes appear, and the bound on what is in flight.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use corral_domain::envelope::SCHEMA_VERSION;
use corral_domain::limits::{INGEST_ADMISSION_WAIT_MS_MAX, INGEST_WINDOW_BYTES_MAX, RECORD_BYTES_MAX};
use corral_domain::{
    Actor, CommandId, Envelope, EventId, EventType, OrganizationId, StreamKey, Take, TraceContext, WriterRange,
};
use corral_event_codec::encode_envelope;
use corral_event_log::{EventLog, LogIdentity};
use corral_hub::Hub;
use corral_read_store::layout::Row;
use corral_read_store::state::{WriterRow, writer_key};
use corral_read_store::{ReadStore, StoreError};
use corral_tasks::Clock;
use corral_wire::{ApiError, ErrorKind};
use rand::RngCore;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::counters::{Counters, add};
use crate::frame::OpenWriter;
use crate::opening::ProjectNames;
use crate::writer::Writer;

/// Whose key came with the request: what the door writes into envelopes, whatever a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    pub organization: OrganizationId,
    pub actor: Actor,
}

/// What the door stands on.
pub struct Handles {
    pub log: Arc<dyn EventLog>,
    pub store: Arc<dyn ReadStore>,
    pub hub: Hub,
    pub clock: Clock,
}

pub struct IngestDoor {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) store: Arc<dyn ReadStore>,
    pub(crate) hub: Hub,
    pub(crate) clock: Clock,
    pub(crate) names: ProjectNames,
    pub(crate) counters: Arc<Counters>,
    /// Permits are KiB that are read and not durable.
    window: Arc<Semaphore>,
}

impl IngestDoor {
    pub fn new(handles: Handles) -> Self {
        Self {
            log: handles.log,
            store: handles.store,
            hub: handles.hub,
            clock: handles.clock,
            names: ProjectNames::default(),
            counters: Arc::default(),
            window: Arc::new(Semaphore::new(INGEST_WINDOW_BYTES_MAX / 1024)),
        }
    }

    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// Bytes that were read and are not durable yet, in KiB steps; `INGEST_WINDOW_BYTES_MAX` is their bound.
    pub fn window_bytes(&self) -> u64 {
        INGEST_WINDOW_BYTES_MAX.saturating_sub(self.window.available_permits() * 1024) as u64
    }

    pub fn identity(&self) -> LogIdentity {
        self.log.identity()
    }

    /// Where a writer stands: after its last acknowledgement if that was of this log epoch, else after what the read
    /// store has of it.
    pub(crate) async fn handshake(&self, author: &Author, open: &OpenWriter) -> Result<Writer, ApiError> {
        if !open.acked_actor.is_empty() && open.acked_actor != author.actor.as_str() {
            let why = format!("the last acknowledgement is another account's, this key is {}'s", author.actor);
            let error = ApiError::invalid("acked_actor", why);
            return Err(ApiError { kind: ErrorKind::Precondition, ..error }.reason("ACTOR_CHANGED"));
        }
        if open.acked_seq >= u64::MAX - 1 {
            return Err(ApiError::invalid("last_acked_seq", "must be below 2^64-2"));
        }
        let identity = self.log.identity();
        let stream = StreamKey::run(author.organization, &open.run);
        let partition = stream.partition(identity.partitions);
        let acked = match open.acked_seq == 0 || open.acked_log_epoch == identity.log_epoch {
            true => open.acked_seq,
            false => self.applied(author, open, &stream).await?,
        };
        Ok(Writer::new(open, stream, partition, acked))
    }

    /// The build's own high-water mark of a writer; 0 until it has one.
    async fn applied(&self, author: &Author, open: &OpenWriter, stream: &StreamKey) -> Result<u64, ApiError> {
        let key = writer_key(stream, open.writer, open.epoch, author.actor.as_str());
        let Some(row) = self.store.get(&key).await.map_err(|error| store_error(&error))? else { return Ok(0) };
        let row = WriterRow::decode(&row).map_err(|error| store_error(&error.into()))?;
        Ok(if row.log_epoch == self.log.identity().log_epoch { row.hw } else { 0 })
    }

    /// A record of a writer's stream.
    pub(crate) fn record(&self, author: &Author, of: RecordOf<'_>) -> Result<Bytes, ApiError> {
        let bytes = encode_envelope(&Envelope {
            stream: of.stream.clone(),
            event_id: EventId(self.new_id()),
            kind: of.kind,
            schema_version: SCHEMA_VERSION,
            min_reader_version: SCHEMA_VERSION,
            codec: 0,
            actor: author.actor.clone(),
            client_time_us: of.client_time_us,
            writer: of.writer,
            command_id: of.command_id,
            take: Take(of.take),
            trace: of.trace,
            pushed: None,
            sealed_with: String::new(),
            payload: of.payload,
        });
        match bytes.len() > RECORD_BYTES_MAX {
            true => Err(ApiError::too_large("items", bytes.len(), RECORD_BYTES_MAX)),
            false => Ok(bytes),
        }
    }

    /// UUIDv7 by the clock that was passed in.
    pub(crate) fn new_id(&self) -> uuid::Uuid {
        let mut random = [0_u8; 10];
        rand::rng().fill_bytes(&mut random);
        let ms = u64::try_from(self.clock.now().0 / 1_000).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid()
    }

    /// Waits a moment for room among what all connections have in flight, then says "later".
    pub(crate) async fn admit(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let permits = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let wait = Duration::from_millis(INGEST_ADMISSION_WAIT_MS_MAX);
        match tokio::time::timeout(wait, self.window.clone().acquire_many_owned(permits)).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => {
                add(&self.counters.overloaded, 1);
                let error = ApiError::new(ErrorKind::Overload, "too many bytes wait to become durable");
                Err(error.retry_after_ms(spread(1_000)))
            }
        }
    }
}

/// What differs between records.
pub(crate) struct RecordOf<'a> {
    pub stream: &'a StreamKey,
    pub kind: EventType,
    pub client_time_us: i64,
    pub writer: Option<WriterRange>,
    pub command_id: Option<CommandId>,
    pub take: u32,
    pub trace: TraceContext,
    pub payload: Bytes,
}

/// Around `ms`, so that clients that were turned away together do not come back together.
pub(crate) fn spread(ms: u64) -> u64 {
    ms / 2 + rand::Rng::random_range(&mut rand::rng(), 0..=ms)
}

/// What a client hears of a store that failed; the store's words stay in our log.
pub(crate) fn store_error(error: &StoreError) -> ApiError {
    tracing::warn!(%error, "the read store failed a door");
    ApiError::unavailable("the read store cannot answer now")
}
