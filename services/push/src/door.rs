//! The target's side: says what it has, and appends what is pushed.
//!
//! Like every door it checks shape, rights and bounds, and decides nothing. That the records were facts elsewhere changes
//! nothing for this log: it stamps them as they come, and their envelopes say when they were first appended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use corral_access::Principal;
use corral_domain::envelope::READER_VERSION;
use corral_domain::limits::{
    PUSH_BYTES_MAX, PUSH_RECORDS_MAX, PUSH_SURVEY_COUNT_MAX, PUSHES_COUNT_MAX, RECORD_BYTES_MAX,
};
use corral_domain::{
    Actor, Envelope, EventType, LogEpoch, LogId, OrganizationId, Partition, Pushed, RunId, StreamKey, StreamKind,
    WriterId,
};
use corral_event_log::{EventLog, LogError};
use corral_read_store::layout::Row;
use corral_read_store::project::{self, ProjectNameRow};
use corral_read_store::state::{self, RunStateRow, WriterRow};
use corral_read_store::{ReadStore, StoreError};
use corral_wire::position::append_to_proto;
use corral_wire::{ApiError, ErrorKind, proto};
use futures_util::future::try_join_all;
use tokio::sync::Semaphore;

/// Where pushed records go.
pub struct PushDoor {
    log: Arc<dyn EventLog>,
    store: Arc<dyn ReadStore>,
    pushes: Semaphore,
    counters: Counters,
}

/// What was pushed since the process began.
#[derive(Debug, Default)]
struct Counters {
    records: AtomicU64,
    bytes: AtomicU64,
    refused: AtomicU64,
}

/// Which log's, and which of its partitions', the records of a request are.
struct Origin {
    log_id: LogId,
    log_epoch: LogEpoch,
    partition: Partition,
}

impl PushDoor {
    pub fn new(log: Arc<dyn EventLog>, store: Arc<dyn ReadStore>) -> Self {
        Self { log, store, pushes: Semaphore::new(PUSHES_COUNT_MAX), counters: Counters::default() }
    }

    /// Name, help and value of each figure.
    pub fn figures(&self) -> [(&'static str, &'static str, u64); 5] {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let under_way = PUSHES_COUNT_MAX.saturating_sub(self.pushes.available_permits());
        [
            ("corral_push_records_total", "pushed records that became durable", count(&self.counters.records)),
            ("corral_push_bytes_total", "their bytes", count(&self.counters.bytes)),
            ("corral_push_refused_total", "requests to append that were refused", count(&self.counters.refused)),
            ("corral_push_requests", "requests to append that are under way", under_way as u64),
            ("corral_push_requests_max", "how many there may be", PUSHES_COUNT_MAX as u64),
        ]
    }

    /// What the read models have of runs and projects of the caller's organization.
    pub async fn survey(
        &self,
        principal: &Principal,
        request: proto::PushSurveyRequest,
    ) -> Result<proto::PushSurveyResponse, ApiError> {
        let writers: usize = request.runs.iter().map(|run| run.writers.len()).sum();
        let count = request.runs.len() + writers + request.projects.len();
        if count > PUSH_SURVEY_COUNT_MAX {
            let why =
                format!("{count} runs, writers and projects exceed push_survey_count_max {PUSH_SURVEY_COUNT_MAX}");
            return Err(ApiError::invalid("runs", why));
        }
        let organization = principal.organization;
        let mut runs = Vec::with_capacity(request.runs.len());
        for run in &request.runs {
            runs.push(self.run(organization, run).await?);
        }
        let mut projects = Vec::with_capacity(request.projects.len());
        for name in &request.projects {
            projects.push(self.project(organization, name).await?);
        }
        let identity = self.log.identity();
        Ok(proto::PushSurveyResponse {
            actor: principal.actor.as_str().to_owned(),
            organization: organization.as_bytes().to_vec().into(),
            log_id: identity.log_id.as_bytes().to_vec().into(),
            log_epoch: identity.log_epoch.0,
            runs,
            projects,
        })
    }

    async fn run(&self, organization: OrganizationId, run: &proto::PushedRun) -> Result<proto::RunStanding, ApiError> {
        let id = run.run_id.parse::<RunId>().map_err(|error| ApiError::invalid("runs.run_id", error.reason))?;
        let (stream, epoch) = (StreamKey::run(organization, &id), self.log.identity().log_epoch);
        let head: Option<RunStateRow> = self.row(&state::head_key(&stream)).await?;
        let head = head.filter(|head| head.log_epoch == epoch && head.take.0 > 0);
        let mut applied_seqs = Vec::with_capacity(run.writers.len());
        for writer in &run.writers {
            let id = WriterId::from_slice(&writer.writer_id)?;
            let actor: Actor = writer.actor.parse()?;
            let row: Option<WriterRow> =
                self.row(&state::writer_key(&stream, id, writer.epoch, actor.as_str())).await?;
            applied_seqs.push(row.filter(|row| row.log_epoch == epoch).map_or(0, |row| whole_through(&row)));
        }
        let append_time_us = head.as_ref().map_or(0, |head| head.append_time.0);
        Ok(proto::RunStanding { exists: head.is_some(), append_time_us, applied_seqs })
    }

    async fn project(&self, organization: OrganizationId, name: &str) -> Result<proto::ProjectStanding, ApiError> {
        let row: Option<ProjectNameRow> = self.row(&project::name_key(organization, name)).await?;
        let project_id = row.map(|row| row.project.as_bytes().to_vec().into()).unwrap_or_default();
        Ok(proto::ProjectStanding { project_id })
    }

    async fn row<R: Row>(&self, key: &corral_read_store::Key) -> Result<Option<R>, ApiError> {
        let failed = |error: StoreError| {
            tracing::warn!(%error, "the read store failed a push");
            ApiError::unavailable("the read store cannot answer now")
        };
        let row = self.store.get(key).await.map_err(failed)?;
        row.map(|row| R::decode(&row)).transpose().map_err(|error| failed(error.into()))
    }

    /// Appends records in their order, each to its stream's partition; answers when all are durable.
    pub async fn records(
        &self,
        principal: &Principal,
        request: proto::PushRecordsRequest,
    ) -> Result<proto::PushRecordsResponse, ApiError> {
        let (records, bytes) = (request.records.len(), request.records.iter().map(Bytes::len).sum::<usize>());
        let taken = self.take(principal, request).await;
        let Counters { records: all, bytes: all_bytes, refused } = &self.counters;
        match &taken {
            Ok(_) => {
                all.fetch_add(records as u64, Ordering::Relaxed);
                all_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
            }
            Err(_) => drop(refused.fetch_add(1, Ordering::Relaxed)),
        }
        taken
    }

    async fn take(
        &self,
        principal: &Principal,
        request: proto::PushRecordsRequest,
    ) -> Result<proto::PushRecordsResponse, ApiError> {
        let origin = origin(&request)?;
        let own = self.log.identity();
        if origin.log_id == own.log_id && origin.log_epoch == own.log_epoch {
            return Err(ApiError::invalid("source_log_id", "is this log's own"));
        }
        let Ok(_permit) = self.pushes.try_acquire() else {
            let why = format!("{PUSHES_COUNT_MAX} pushes are under way");
            return Err(ApiError::new(ErrorKind::Overload, why));
        };
        let mut lanes: BTreeMap<Partition, Vec<Bytes>> = BTreeMap::new();
        for (stream, record) in check(principal.organization, &origin, request.records)? {
            lanes.entry(stream.partition(own.partitions)).or_default().push(record);
        }
        let append = |(partition, records): (Partition, Vec<Bytes>)| self.append(partition, records);
        let position = try_join_all(lanes.into_iter().map(append)).await?;
        Ok(proto::PushRecordsResponse { position })
    }

    async fn append(&self, partition: Partition, records: Vec<Bytes>) -> Result<proto::PartitionOffset, ApiError> {
        let appended = self.log.append(partition, records).await.map_err(|error| match error {
            LogError::Invalid(why) => ApiError::invalid("records", why),
            error => {
                tracing::warn!(%error, "an append of pushed records failed");
                ApiError::unavailable("the event log cannot take appends now").reason("LOG_UNAVAILABLE")
            }
        })?;
        let last = corral_domain::Append { partition, offset: appended.offsets[appended.offsets.len() - 1] };
        Ok(append_to_proto(last))
    }
}

/// Every item up to here was applied: what lies in a hole of the log may come again.
fn whole_through(row: &WriterRow) -> u64 {
    row.open_ranges.first().map_or(row.hw, |(from, _)| from.saturating_sub(1))
}

fn origin(request: &proto::PushRecordsRequest) -> Result<Origin, ApiError> {
    let partition = u16::try_from(request.source_partition).map_err(|_| {
        ApiError::invalid("source_partition", format!("{} is not below 65536", request.source_partition))
    })?;
    let log_id =
        LogId::from_slice(&request.source_log_id).map_err(|error| ApiError::invalid("source_log_id", error.reason))?;
    Ok(Origin { log_id, log_epoch: LogEpoch(request.source_log_epoch), partition: Partition(partition) })
}

/// The records with their streams, or what is wrong with the first that is not one.
fn check(
    organization: OrganizationId,
    origin: &Origin,
    records: Vec<Bytes>,
) -> Result<Vec<(StreamKey, Bytes)>, ApiError> {
    if records.is_empty() || records.len() > PUSH_RECORDS_MAX {
        let why = format!("{} records are not 1 to push_records_max {PUSH_RECORDS_MAX}", records.len());
        return Err(ApiError::invalid("records", why));
    }
    let bytes: usize = records.iter().map(Bytes::len).sum();
    if bytes > PUSH_BYTES_MAX {
        return Err(ApiError::too_large("records", bytes, PUSH_BYTES_MAX));
    }
    let (mut checked, mut next) = (Vec::with_capacity(records.len()), 0);
    for (index, record) in records.into_iter().enumerate() {
        let wrong = |why: String| {
            let error = ApiError::invalid("records", format!("[{index}] {why}"));
            ApiError { item_index: Some(index as u64), ..error }
        };
        if record.len() > RECORD_BYTES_MAX {
            return Err(wrong(format!("has {} bytes, record_bytes_max is {RECORD_BYTES_MAX}", record.len())));
        }
        let envelope = corral_event_codec::decode_envelope(&record).map_err(|error| wrong(error.to_string()))?;
        if envelope.stream.organization != organization {
            return Err(wrong("stream.organization: is not the key's".to_owned()));
        }
        let pushed = envelope.pushed.ok_or_else(|| wrong("pushed: is missing".to_owned()))?;
        from_origin(&pushed, origin, next).map_err(|why| wrong(why.to_owned()))?;
        next = pushed.offset.0 + 1;
        content(&envelope).map_err(wrong)?;
        checked.push((envelope.stream, record));
    }
    Ok(checked)
}

fn from_origin(pushed: &Pushed, origin: &Origin, next: u64) -> Result<(), &'static str> {
    match () {
        () if (pushed.log_id, pushed.log_epoch) != (origin.log_id, origin.log_epoch) => {
            Err("pushed.log_id: is not the request's")
        }
        () if pushed.partition != origin.partition => Err("pushed.partition: is not the request's"),
        () if pushed.offset.0 < next || pushed.offset.0 == u64::MAX => Err("pushed.offset: does not rise"),
        () => Ok(()),
    }
}

/// What a projection of this build can read; what it cannot must not be in its log.
fn content(envelope: &Envelope) -> Result<(), String> {
    if envelope.min_reader_version > READER_VERSION {
        return Err(format!("min_reader_version: {} is newer than {READER_VERSION}", envelope.min_reader_version));
    }
    if envelope.codec != 0 || !envelope.sealed_with.is_empty() {
        return Err("sealed_with: a payload that is encoded or sealed cannot be read here".to_owned());
    }
    match (envelope.stream.kind, envelope.kind) {
        (StreamKind::Run, EventType::RunItems) => {
            envelope.stream.run_id().map_err(|error| error.to_string())?;
            envelope.writer.ok_or("writer: is missing")?;
            corral_event_codec::decode_run_items(&envelope.payload).map_err(|error| error.to_string())?;
        }
        (StreamKind::Run, EventType::RunHeartbeat) => {
            envelope.stream.run_id().map_err(|error| error.to_string())?;
        }
        (StreamKind::Organization, EventType::ProjectNameClaimed) => {
            envelope.command_id.ok_or("command_id: is missing")?;
            corral_event_codec::decode_project_name_claimed(&envelope.payload).map_err(|error| error.to_string())?;
        }
        (_, kind) => return Err(format!("type: {kind:?} does not belong on such a stream")),
    }
    Ok(())
}
