//! A Corral without a network: log, projections, read store, and the door for pushes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use corral_access::{Principal, Proof, Role, Scope};
use corral_domain::run::{FinishState, ObjectLogged, RunAttributesChanged, RunFinished};
use corral_domain::scalar::{ConfigEntry, Scalar};
use corral_domain::{
    BuildId, Envelope, LogEpoch, LogId, Micros, Offset, OrganizationId, Partition, RunEntry, StreamKey,
};
use corral_event_log::memory::MemoryLog;
use corral_event_log::{Appended, Batch, EventLog, Extent, LogError, LogIdentity};
use corral_hub::Hub;
use corral_projection::runner::{Handles, Runner};
use corral_push::{PushDoor, Target};
use corral_read_store::{MemoryStore, ReadStore};
use corral_tasks::ManualClock;
use corral_wire::proto;
use tonic::Status;

use crate::common::{append, fill, items};
use crate::dump::dump;

pub(crate) const TEAM: OrganizationId = OrganizationId::from_bytes([0xee; 16]);

/// A log whose appends fail from a chosen one on, before they were done or after.
pub(crate) struct Flaky {
    inner: Arc<MemoryLog>,
    appends: AtomicU64,
    fails_at: u64,
    done: bool,
}

#[async_trait]
impl EventLog for Flaky {
    fn identity(&self) -> LogIdentity {
        self.inner.identity()
    }

    async fn append(&self, partition: Partition, records: Vec<Bytes>) -> Result<Appended, LogError> {
        let append = self.appends.fetch_add(1, Ordering::SeqCst);
        if append < self.fails_at || append == self.fails_at && self.done {
            let appended = self.inner.append(partition, records).await;
            if append < self.fails_at {
                return appended;
            }
        }
        // Final, so that who pushes does not try again.
        Err(LogError::Invalid("it was killed".to_owned()))
    }

    async fn read(&self, partition: Partition, from: Offset, bytes_max: usize) -> Result<Batch, LogError> {
        self.inner.read(partition, from, bytes_max).await
    }

    async fn extent(&self, partition: Partition) -> Result<Extent, LogError> {
        self.inner.extent(partition).await
    }

    async fn wait(&self, partition: Partition, from: Offset) -> Result<(), LogError> {
        self.inner.wait(partition, from).await
    }

    async fn trim(&self, partition: Partition, below: Offset) -> Result<Offset, LogError> {
        self.inner.trim(partition, below).await
    }
}

/// A Corral that is pushed to.
pub(crate) struct Corral {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) store: Arc<dyn ReadStore>,
    pub(crate) actor: &'static str,
}

impl Corral {
    /// Younger than what is pushed into it.
    pub(crate) fn new(partitions: u16) -> Self {
        Self::since(partitions, 1_750_000_000_000_000)
    }

    pub(crate) fn since(partitions: u16, start_us: i64) -> Self {
        let time = AtomicI64::new(start_us);
        let identity = LogIdentity { log_id: LogId::from_bytes([0xaa; 16]), log_epoch: LogEpoch(9), partitions };
        let log = MemoryLog::new(identity, Arc::new(move || Micros(time.fetch_add(10, Ordering::Relaxed))));
        Self { log: Arc::new(log), store: Arc::new(MemoryStore::new()), actor: "admin" }
    }

    pub(crate) fn principal(&self) -> Principal {
        Principal {
            organization: TEAM,
            actor: self.actor.parse().expect("an actor"),
            role: Role::Admin,
            scope: Scope::Full,
            proof: Proof::Session([0; 32]),
        }
    }

    pub(crate) fn door(&self) -> PushDoor {
        PushDoor::new(self.log.clone(), self.store.clone())
    }

    /// As a live projector does.
    pub(crate) async fn project(&self) {
        project(self.log.clone(), &self.store).await;
    }

    pub(crate) async fn dump(&self) -> String {
        self.project().await;
        dump(&self.store, self.log.identity(), TEAM).await
    }

    pub(crate) async fn records(&self) -> u64 {
        let mut records = 0;
        for partition in (0..self.log.identity().partitions).map(Partition) {
            records += self.log.extent(partition).await.expect("an extent").tail.0;
        }
        records
    }

    pub(crate) fn target(&self) -> Direct<'_> {
        Direct { door: self.door(), corral: self, projects: true }
    }

    /// One that is killed at an append, before it was done or after.
    pub(crate) fn dies_at(&self, append: u64, done: bool) -> Direct<'_> {
        let log = Flaky { inner: self.log.clone(), appends: AtomicU64::new(0), fails_at: append, done };
        Direct { door: PushDoor::new(Arc::new(log), self.store.clone()), corral: self, projects: true }
    }
}

pub(crate) async fn project(log: Arc<dyn EventLog>, store: &Arc<dyn ReadStore>) {
    for partition in (0..log.identity().partitions).map(Partition) {
        let handles = Handles {
            log: log.clone(),
            store: store.clone(),
            hub: Hub::new(),
            clock: ManualClock::new(Micros(0)).clock(),
            build: BuildId(1),
            limits: Default::default(),
        };
        let mut runner = Runner::new(handles, partition);
        runner.start().await.expect("it starts");
        let tail = log.extent(partition).await.expect("an extent").tail;
        while runner.next() < tail {
            runner.step().await.expect("a step");
        }
    }
}

/// The door without a network.
pub(crate) struct Direct<'a> {
    door: PushDoor,
    corral: &'a Corral,
    /// Whether its projector keeps up.
    pub(crate) projects: bool,
}

#[async_trait]
impl Target for Direct<'_> {
    async fn survey(&mut self, request: proto::PushSurveyRequest) -> Result<proto::PushSurveyResponse, Status> {
        // Names are decided, or no push goes on.
        if self.projects || !request.projects.is_empty() {
            self.corral.project().await;
        }
        Ok(self.door.survey(&self.corral.principal(), request).await?)
    }

    async fn records(&mut self, request: proto::PushRecordsRequest) -> Result<proto::PushRecordsResponse, Status> {
        Ok(self.door.records(&self.corral.principal(), request).await?)
    }
}

/// What a source shows.
pub(crate) async fn source_dump(log: Arc<dyn EventLog>, organization: OrganizationId) -> String {
    let store: Arc<dyn ReadStore> = Arc::new(MemoryStore::new());
    let identity = log.identity();
    project(log, &store).await;
    dump(&store, identity, organization).await
}

/// Runs of all sorts, sent twice in part, in three partitions.
pub(crate) async fn source() -> Arc<MemoryLog> {
    let log = crate::common::memory_log(3);
    fill(&*log).await;
    append(&*log, vec![items(7, 70, 1, 1), items(7, 70, 2, 6)]).await;
    for (first, entry) in others().into_iter().enumerate() {
        let (stream, record) = items(7, 70, 7 + first as u64, 7 + first as u64);
        append(&*log, vec![(stream, with(&record, entry))]).await;
    }
    log
}

fn others() -> Vec<RunEntry> {
    vec![
        RunEntry::ConfigChanged(vec![ConfigEntry { path: vec!["lr".to_owned()], value: Some(Scalar::F64(-0.0)) }]),
        RunEntry::SummaryChanged(vec![("best".to_owned(), Some(Scalar::U64(u64::MAX)))]),
        RunEntry::AttributesChanged(RunAttributesChanged {
            name: Some("named".to_owned()),
            notes: None,
            tags: Some(vec!["a".to_owned()]),
        }),
        RunEntry::Object(ObjectLogged {
            metric: 0,
            step: 3,
            time_us: 4,
            media_type: "text/plain".to_owned(),
            body: Bytes::from_static(b"text"),
        }),
        RunEntry::Finished(RunFinished {
            state: FinishState::Failed,
            exit_code: Some(3),
            message: "m".to_owned(),
            last_seq: 11,
        }),
    ]
}

/// A record with other content.
pub(crate) fn with(record: &Bytes, entry: RunEntry) -> Bytes {
    changed(record, |envelope| Envelope { payload: corral_event_codec::encode_run_items(&[entry]), ..envelope })
}

pub(crate) fn changed(record: &Bytes, change: impl FnOnce(Envelope) -> Envelope) -> Bytes {
    let envelope = corral_event_codec::decode_envelope(record).expect("an envelope");
    corral_event_codec::encode_envelope(&change(envelope))
}

/// The same items under another run's id.
pub(crate) fn of_run(record: (StreamKey, Bytes), run: &str) -> (StreamKey, Bytes) {
    let stream = StreamKey::run(record.0.organization, &run.parse().expect("an id"));
    (stream.clone(), changed(&record.1, |envelope| Envelope { stream, ..envelope }))
}

/// A log under another id.
pub(crate) struct Renamed(pub(crate) Arc<MemoryLog>);

#[async_trait]
impl EventLog for Renamed {
    fn identity(&self) -> LogIdentity {
        LogIdentity { log_id: LogId::from_bytes([0xcc; 16]), ..self.0.identity() }
    }

    async fn append(&self, partition: Partition, records: Vec<Bytes>) -> Result<Appended, LogError> {
        self.0.append(partition, records).await
    }

    async fn read(&self, partition: Partition, from: Offset, bytes_max: usize) -> Result<Batch, LogError> {
        self.0.read(partition, from, bytes_max).await
    }

    async fn extent(&self, partition: Partition) -> Result<Extent, LogError> {
        self.0.extent(partition).await
    }

    async fn wait(&self, partition: Partition, from: Offset) -> Result<(), LogError> {
        self.0.wait(partition, from).await
    }

    async fn trim(&self, partition: Partition, below: Offset) -> Result<Offset, LogError> {
        self.0.trim(partition, below).await
    }
}
