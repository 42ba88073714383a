//! The embedded event log: segment files of our own over a [`Storage`](storage::Storage), for one process on one machine.
//!
//! ```text
//! LOCK                     who owns the directory
//! identity                 log id, log epoch, partitions (two slots)
//! p00000/                  a partition
//!   00000000000000000000.seg   its segments, named by their first offset     (format.rs)
//!   synced                     all below was acknowledged or may be          (slots.rs)
//!   start                      all below was trimmed
//! ```
//!
//! **Appending.** Each partition has a writer thread. Appends wait in its queue, bounded in bytes; the writer takes all
//! that wait, writes them behind one another as one batch each, calls fdatasync once, and then acknowledges; where many
//! append at once it waits a moment for them to come back (`company.rs`). A failed fdatasync ends it all (`poison.rs`): no
//! acknowledgement leaves any more and [`EmbeddedLog::poisoned`] returns, upon which the process has to end. A full disk
//! answers `Unavailable` until space comes back; reads go on.
//!
//! **Opening** looks at every batch (`scan.rs`), cuts what was never acknowledged and names what was and cannot be read
//! (`recover.rs`). What tells one from the other is the `synced` mark, written after each fdatasync, and the same number
//! in the head of each batch. The mark is not synced on the way of an acknowledgement but when the partition is idle and
//! when it is closed; so only damage to the last group before a power cut, in that same power cut, could pass for a torn
//! tail.
//!
//! **Reading** checks every batch's CRC again; damage that came later is named then, and jumped.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use bytes::Bytes;
use corral_domain::limits::LOG_READ_BYTES_MAX;
use corral_domain::{Offset, Partition};
use corral_event_log::{
    Appended, Batch, Clock, EventLog, Extent, LogError, LogIdentity, check_append, check_partition,
};
use tokio::sync::oneshot;

use crate::counters::Counters;
pub use crate::counters::Figures;
use crate::disk::DiskStorage;
use crate::group::Waiting;
use crate::lane::Lane;
use crate::poison::Poison;
use crate::queue::{Queue, Request, closed};
use crate::storage::Storage;
use crate::writer::{Shared, Writer};

mod company;
mod counters;
pub mod disk;
mod group;
mod identity;
mod lane;
mod planted;
mod poison;
mod queue;
mod recover;
mod scan;
pub mod sim;
mod slots;
pub mod storage;
mod window;
mod writer;

/// Partitions of a log that nobody chose otherwise for.
pub const PARTITIONS: u16 = 4;
/// A segment's size; a batch that is larger has one to itself.
pub const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How a log is opened.
#[derive(Clone)]
pub struct Options {
    /// Of a new log; one that exists has to have as many.
    pub partitions: u16,
    pub segment_bytes_max: u64,
    pub clock: Clock,
}

impl Options {
    pub fn new(clock: Clock) -> Self {
        Self { partitions: PARTITIONS, segment_bytes_max: SEGMENT_BYTES_MAX, clock }
    }
}

/// A log in a directory. Dropping it finishes what waits and gives the directory back.
pub struct EmbeddedLog {
    identity: LogIdentity,
    poison: Arc<Poison>,
    counters: Arc<Counters>,
    lanes: Vec<(Arc<Lane>, Arc<Queue>)>,
    writers: Mutex<Vec<JoinHandle<()>>>,
}

impl EmbeddedLog {
    /// Opens or makes the log in a directory on disk, with the usual options. Blocks.
    pub fn open_dir(path: &Path, clock: Clock) -> Result<Self, LogError> {
        Self::open(Arc::new(own(path)?), Options::new(clock))
    }

    /// Says of a directory that it was put back from a backup: raises the log's epoch, so that clients send again what
    /// the backup lacks. Before that, with the directory locked, `forget` gives up what belongs to the old epoch. Blocks.
    pub fn restored_dir(
        path: &Path,
        clock: &Clock,
        forget: impl FnOnce() -> io::Result<()>,
    ) -> Result<LogIdentity, LogError> {
        let storage = own(path)?;
        forget().map_err(|error| recover::failed("what belongs to the old epoch", &error))?;
        identity::raise_epoch(&storage, clock())
    }

    /// Opens or makes the log in a storage that this process owns. Blocks: every batch is looked at.
    pub fn open(storage: Arc<dyn Storage>, options: Options) -> Result<Self, LogError> {
        let identity = identity::open(&*storage, options.partitions)?;
        let partitions = 0..identity.partitions;
        let surveys = survey_all(&*storage, identity)?;
        make_durable_dirs(&*storage, &identity)?;
        let mut recovered = Vec::with_capacity(surveys.len());
        for survey in surveys {
            recovered.push(recover::repair(&*storage, survey)?);
        }
        let (poison, counters) = (Arc::new(Poison::new()), Arc::new(Counters::default()));
        let Options { segment_bytes_max, clock, .. } = options;
        let shared = Shared {
            storage,
            identity,
            segment_bytes_max,
            clock,
            poison: Arc::clone(&poison),
            counters: Arc::clone(&counters),
        };
        let mut log = Self { identity, poison, counters, lanes: Vec::new(), writers: Mutex::default() };
        for (partition, mut recovered) in partitions.zip(recovered) {
            let queue = Arc::new(Queue::new());
            let state = std::mem::take(&mut recovered.lane);
            for hole in &state.holes {
                tracing::error!(partition, from = hole.from.0, to = hole.to.0, "acknowledged records cannot be read");
            }
            let tail = (state.tail, state.segments.last().and_then(|segment| segment.index.last()).copied());
            let lane = Arc::new(Lane::new(Partition(partition), Arc::clone(&shared.storage), state));
            log.lanes.push((Arc::clone(&lane), Arc::clone(&queue)));
            let writer = Writer::new(shared.clone(), (partition, tail), queue, lane, recovered);
            let thread = std::thread::Builder::new().name(format!("log-writer-{partition}")).spawn(|| writer.run());
            let thread = thread.map_err(|error| recover::failed("the writer's thread", &error))?;
            log.writers.get_mut().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(log)
    }

    /// Returns, with the reason, once a sync failed: nothing is acknowledged any more and the process has to end.
    pub async fn poisoned(&self) -> String {
        self.poison.wait().await
    }

    /// What it has done since it was opened, and what waits.
    pub fn figures(&self) -> Figures {
        self.counters.read(self.lanes.iter().map(|(_, queue)| queue.waiting_bytes()).sum())
    }

    /// Takes no more appends, finishes those that wait, makes the marks durable. Blocks. Reads go on.
    pub fn close(&self) {
        for (_, queue) in &self.lanes {
            queue.close();
        }
        let writers = std::mem::take(&mut *self.writers.lock().unwrap_or_else(PoisonError::into_inner));
        for writer in writers {
            if writer.join().is_err() {
                tracing::error!("a writer of the event log panicked");
            }
        }
    }

    fn lane(&self, partition: Partition) -> Result<&(Arc<Lane>, Arc<Queue>), LogError> {
        check_partition(&self.identity, partition)?;
        Ok(&self.lanes[usize::from(partition.0)])
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl EventLog for EmbeddedLog {
    fn identity(&self) -> LogIdentity {
        self.identity
    }

    async fn append(&self, partition: Partition, records: Vec<Bytes>) -> Result<Appended, LogError> {
        check_append(&self.identity, partition, &records)?;
        let (_, queue) = self.lane(partition)?;
        self.poison.check()?;
        let room = queue.room(&records).await?;
        let (reply, answer) = oneshot::channel();
        queue.push(Request::Append(Waiting { records, reply, room }))?;
        answer.await.unwrap_or_else(|_| Err(LogError::Fatal("the log's writer is gone".to_owned())))
    }

    async fn read(&self, partition: Partition, from: Offset, bytes_max: usize) -> Result<Batch, LogError> {
        let lane = Arc::clone(&self.lane(partition)?.0);
        if from == *lane.tail.borrow() {
            return Ok(Batch { next: from, ..Batch::default() });
        }
        let bytes_max = bytes_max.min(LOG_READ_BYTES_MAX);
        let read = tokio::task::spawn_blocking(move || lane.read(from, bytes_max)).await;
        read.unwrap_or_else(|_| Err(closed()))
    }

    async fn extent(&self, partition: Partition) -> Result<Extent, LogError> {
        Ok(self.lane(partition)?.0.extent())
    }

    async fn wait(&self, partition: Partition, from: Offset) -> Result<(), LogError> {
        let mut tail = self.lane(partition)?.0.tail.subscribe();
        tokio::select! {
            biased;
            seen = tail.wait_for(|tail| *tail > from) => seen.map(|_| ()).map_err(|_| closed()),
            reason = self.poison.wait() => Err(LogError::Fatal(reason)),
        }
    }

    async fn trim(&self, partition: Partition, below: Offset) -> Result<Offset, LogError> {
        let (_, queue) = self.lane(partition)?;
        let (reply, answer) = oneshot::channel();
        queue.push(Request::Trim { below, reply })?;
        answer.await.unwrap_or_else(|_| Err(LogError::Fatal("the log's writer is gone".to_owned())))
    }
}

fn own(path: &Path) -> Result<DiskStorage, LogError> {
    DiskStorage::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::ResourceBusy => LogError::Unavailable(error.to_string()),
        _ => recover::failed(&path.display().to_string(), &error),
    })
}

/// Looks at all partitions at once: what takes time is to look at every batch.
fn survey_all(storage: &dyn Storage, identity: LogIdentity) -> Result<Vec<recover::Survey>, LogError> {
    std::thread::scope(|scope| {
        let survey = |partition| scope.spawn(move || recover::survey(storage, identity, partition));
        let surveys: Vec<_> = (0..identity.partitions).map(survey).collect();
        let panicked = |_| Err(LogError::Fatal("looking at a partition panicked".to_owned()));
        surveys.into_iter().map(|survey| survey.join().unwrap_or_else(panicked)).collect()
    })
}

/// The names in the root: whoever made them may have been killed before they were durable.
fn make_durable_dirs(storage: &dyn Storage, identity: &LogIdentity) -> Result<(), LogError> {
    let mut dirs = (0..identity.partitions).map(recover::partition_dir);
    let made = dirs.try_for_each(|dir| storage.make_dir(&dir));
    made.and_then(|()| storage.sync_dir("")).map_err(|error| recover::failed("the log's directory", &error))
}
