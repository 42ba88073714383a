//! A log of small programs, with repeats, and the archive that is made of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use corral_archive::{Archive, ArchiveError, Limits, up_to_tail};
use corral_blob_store::{BlobStore, failing};
use corral_domain::metric::MetricRegistered;
use corral_domain::project::ProjectNameClaimed;
use corral_domain::run::RunOpened;
use corral_domain::{
    Column, ColumnType, CommandId, Envelope, EventId, EventType, LogEpoch, LogId, Micros, Offset, OrganizationId,
    Partition, ProjectId, RunEntry, StepGroup, StreamKey, Take, TraceContext, WriterId, WriterRange,
};
use corral_event_log::memory::MemoryLog;
use corral_event_log::{EventLog, LogIdentity, Record};
use corral_projection::said::{Deduplication, Said};

pub(crate) const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);
pub(crate) const PROJECT: ProjectId = ProjectId::from_bytes([2; 16]);
pub(crate) const ONE: Partition = Partition(0);

pub(crate) fn identity(partitions: u16) -> LogIdentity {
    LogIdentity { log_id: LogId::from_bytes([7; 16]), log_epoch: LogEpoch(3), partitions }
}

pub(crate) fn memory_log(partitions: u16) -> Arc<MemoryLog> {
    let time = AtomicI64::new(1_700_000_000_000_000);
    Arc::new(MemoryLog::new(identity(partitions), Arc::new(move || Micros(time.fetch_add(1_000, Ordering::Relaxed)))))
}

fn envelope(stream: StreamKey, kind: EventType, writer: Option<WriterRange>, payload: Bytes) -> Bytes {
    corral_event_codec::encode_envelope(&Envelope {
        stream,
        event_id: EventId::from_bytes([9; 16]),
        kind,
        schema_version: 1,
        min_reader_version: 1,
        codec: 0,
        actor: "somebody".parse().expect("an actor"),
        client_time_us: 5,
        command_id: (kind == EventType::ProjectNameClaimed).then(|| CommandId::from_bytes([4; 16])),
        take: Take(1),
        trace: TraceContext::default(),
        sealed_with: String::new(),
        writer,
        payload,
        pushed: None,
    })
}

pub(crate) fn claim() -> (StreamKey, Bytes) {
    let stream = StreamKey::organization(ORGANIZATION);
    let claim = ProjectNameClaimed { name: "p".to_owned(), project: PROJECT };
    let payload = corral_event_codec::encode_project_name_claimed(&claim);
    (stream.clone(), envelope(stream, EventType::ProjectNameClaimed, None, payload))
}

pub(crate) fn heartbeat(run: u8) -> (StreamKey, Bytes) {
    let stream = StreamKey::run(ORGANIZATION, &format!("run-{run}").parse().expect("an id"));
    (stream.clone(), envelope(stream, EventType::RunHeartbeat, None, Bytes::new()))
}

/// Items `first` to `last` of a run's writer: an opening alone, a registration, then a point each.
pub(crate) fn items(run: u8, writer: u8, first: u64, last: u64) -> (StreamKey, Bytes) {
    let stream = StreamKey::run(ORGANIZATION, &format!("run-{run}").parse().expect("an id"));
    let mut entries = Vec::new();
    for seq in first..=last {
        entries.push(match seq {
            1 => {
                let command = CommandId::from_bytes([writer; 16]);
                let opened = RunOpened { project: Some(PROJECT), ..RunOpened::new(command, "p", "launch") };
                RunEntry::Opened(Box::new(opened))
            }
            2 => RunEntry::MetricRegistered(MetricRegistered { id: 0, name: "loss".to_owned() }),
            seq => {
                let word = |value: i64| Bytes::copy_from_slice(&value.to_le_bytes());
                let values = Bytes::copy_from_slice(&(1.0 / seq as f64).to_le_bytes());
                let columns = vec![Column { metric: 0, kind: ColumnType::F64, values }];
                RunEntry::Points(StepGroup { rows: 1, steps: word(seq as i64), times: word(seq as i64), columns })
            }
        });
    }
    let range = WriterRange { writer: WriterId::from_bytes([writer; 16]), epoch: 1, first, last };
    let payload = corral_event_codec::encode_run_items(&entries);
    (stream.clone(), envelope(stream, EventType::RunItems, Some(range), payload))
}

/// Runs that are opened, logged to, and sent again: as a whole, in part, and out of turn.
pub(crate) async fn fill(log: &dyn EventLog) {
    let mut records = vec![claim()];
    for run in 0..6 {
        records.extend([items(run, run, 1, 1), items(run, run, 2, 9), items(run, run, 1, 1), items(run, run, 4, 12)]);
    }
    for round in 0..20 {
        for run in 0..6 {
            let next = 13 + round * 5;
            records.extend([
                items(run, run, next, next + 4),
                items(run, run, next - 2, next + 1),
                items(run, run, next + 9, next + 12),
                heartbeat(run),
            ]);
        }
    }
    append(log, records).await;
}

pub(crate) async fn append(log: &dyn EventLog, records: Vec<(StreamKey, Bytes)>) {
    for (stream, record) in records {
        let partition = stream.partition(log.identity().partitions);
        log.append(partition, vec![record]).await.expect("an append");
    }
}

/// Every record of a partition that a reader finds, and the offsets that it was told are holes.
pub(crate) async fn all(log: &dyn EventLog, partition: Partition) -> (Vec<Record>, Vec<(u64, u64)>) {
    let extent = log.extent(partition).await.expect("an extent");
    let (mut records, mut holes, mut next) = (Vec::new(), Vec::new(), extent.start);
    while next < extent.tail {
        let batch = log.read(partition, next, 3_000).await.expect("a read");
        assert!(batch.next > next, "a read goes on");
        records.extend(batch.records);
        holes.extend(batch.holes.iter().map(|hole| (hole.from.0, hole.to.0)));
        next = batch.next;
    }
    holes.dedup();
    let known: Vec<(u64, u64)> = extent.holes.iter().map(|hole| (hole.from.0, hole.to.0)).collect();
    assert_eq!(holes, known, "a read finds the holes that the extent names");
    (records, holes)
}

/// What is left of records when those that the stage has applied before, as a whole, are taken away.
pub(crate) fn without_repeats(records: &[Record]) -> Vec<Record> {
    let mut streams: std::collections::HashMap<StreamKey, Deduplication> = Default::default();
    let mut applied: std::collections::HashMap<(StreamKey, WriterId), u64> = Default::default();
    let keep = |record: &&Record| {
        let envelope = corral_event_codec::decode_envelope(&record.bytes).expect("an envelope");
        let Some(range) = envelope.writer else { return true };
        let last = applied.entry((envelope.stream.clone(), range.writer)).or_default();
        match streams.entry(envelope.stream.clone()).or_default().say(&envelope, false, false) {
            Said::Skipped { .. } => range.last > *last,
            _ => {
                *last = range.last.max(*last);
                true
            }
        }
    };
    records.iter().filter(keep).cloned().collect()
}

/// Segments of a few records.
pub(crate) const SMALL: Limits = Limits { segment_bytes_max: 4_000, segment_age_ms_max: u64::MAX / 2_000 };

/// One life of an archiver: everything that the log has, in segments that are closed when they are full, and at the end.
pub(crate) async fn archive(blobs: BlobStore, log: &dyn EventLog) -> Result<Archive, ArchiveError> {
    let archive = Archive::open(blobs, log.identity()).await?;
    up_to_tail(&archive, log, &SMALL, &|_| {}).await?;
    Ok(archive)
}

/// An archive of all of a log, in memory.
pub(crate) async fn archived(log: &dyn EventLog) -> Arc<Archive> {
    Arc::new(archive(failing::lives(&failing::memory()), log).await.expect("an archive"))
}

/// The records that an archive has.
pub(crate) async fn records_of(archive: &Archive, partition: Partition) -> Vec<Record> {
    let extent = archive.extent(partition).expect("an extent");
    let (mut records, mut next) = (Vec::new(), extent.start);
    while next < extent.tail {
        let batch = archive.read(partition, next, 2_000).await.expect("a read").expect("it is archived");
        assert!(batch.next > next && batch.next <= extent.tail);
        records.extend(batch.records);
        next = batch.next;
    }
    assert!(archive.read(partition, Offset(next.0), 1).await.expect("a read").is_none());
    records
}

/// That `records` are those of the log below `end`, in order, with no more left out than what repeats as a whole.
pub(crate) fn check_records(records: &[Record], log: &[Record], end: Offset) {
    assert!(records.is_sorted_by(|a, b| a.offset < b.offset));
    let strange = records.iter().find(|record| log.get(record.offset.0 as usize) != Some(record));
    assert_eq!(strange.map(|record| record.offset), None, "it is not what the log has there");
    let has = |offset: Offset| records.binary_search_by_key(&offset, |record| record.offset).is_ok();
    let needed = without_repeats(log).into_iter().map(|record| record.offset);
    let missing: Vec<Offset> = needed.filter(|offset| *offset < end && !has(*offset)).collect();
    assert_eq!(missing, [], "they do not repeat");
    assert!(records.last().is_none_or(|record| record.offset < end));
}
