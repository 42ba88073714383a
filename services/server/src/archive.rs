//! The archive of the log that is served, where one is kept: read behind what the log has forgotten, and added to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use corral_archive::{Archive, ArchiveError, ArchivedLog};
use corral_archiver::{Archiver, Status};
use corral_blob_store::BlobStore;
use corral_event_log::EventLog;
use corral_read_store::ReadStore;
use corral_tasks::{Clock, Tasks};

use crate::config::{Config, Role};
use crate::figures::{head, line};
use crate::wiring::Log;

/// A log with its archive.
#[derive(Clone)]
pub(crate) struct Kept {
    /// What is appended to and trimmed.
    pub(crate) log: Arc<dyn EventLog>,
    archive: Option<Arc<Archive>>,
}

impl Kept {
    /// Opens the archive that the configuration names, if it names one.
    pub(crate) async fn open(config: &Config, log: &Log) -> Result<Self, ArchiveError> {
        let log = log.handle();
        let archive = match &config.archiving.blobs {
            Some(url) => Some(Arc::new(Archive::open(BlobStore::open(url)?, log.identity()).await?)),
            None => None,
        };
        Ok(Self { log, archive })
    }

    /// The archive and the log as one, for who reads.
    pub(crate) fn reading(&self) -> Result<Arc<dyn EventLog>, ArchiveError> {
        match &self.archive {
            Some(archive) => Ok(Arc::new(ArchivedLog::new(self.log.clone(), archive.clone())?)),
            None => Ok(self.log.clone()),
        }
    }

    /// Keeps the archive, if that is a role of this process and there is one to keep.
    pub(crate) fn start(
        &self,
        config: &Config,
        store: Arc<dyn ReadStore>,
        (clock, tasks): (&Clock, &Tasks),
    ) -> Option<Archiver> {
        let archive = self.archive.clone().filter(|_| config.roles.has(Role::Archiver))?;
        let handles = corral_archiver::Handles {
            log: self.log.clone(),
            archive,
            store,
            clock: clock.clone(),
            limits: corral_archiver::limits(self.log.identity().partitions),
            keep_us: config.archiving.keep_us,
        };
        Some(Archiver::start(handles, tasks))
    }
}

/// A figure of each partition.
type OfPartition<'a> = (&'static str, &'static str, &'a dyn Fn(&Status) -> u64);

pub(crate) fn figures(out: &mut String, archiver: &Archiver) {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let figures: [OfPartition<'_>; 9] = [
        ("corral_archive_offset", "everything below is archived", &|s| count(&s.archived)),
        ("corral_archive_read_offset", "everything below is archived or gathered", &|s| count(&s.read)),
        ("corral_archive_trimmed_offset", "everything below was forgotten by the log", &|s| count(&s.trimmed)),
        ("corral_archive_segments", "segments", &|s| count(&s.segments)),
        ("corral_archive_bytes", "bytes of segments", &|s| count(&s.bytes)),
        ("corral_archive_records", "records in segments", &|s| count(&s.records)),
        ("corral_archive_left_out", "records that repeated others and were left out", &|s| count(&s.left_out)),
        ("corral_archive_failures_total", "times that it could not go on", &|s| count(&s.failures)),
        ("corral_archive_failing", "1: it cannot go on now", &|s| u64::from(s.failing().is_some())),
    ];
    for (name, help, value) in figures {
        head(out, name, help);
        for (partition, status) in archiver.statuses().iter().enumerate() {
            line(out, name, &format!("{{partition=\"{partition}\"}}"), value(status));
        }
    }
}

#[cfg(test)]
mod tests;
