//! The log's identity record: log id, log epoch, partitions. Written when the log is made; a restore raises the epoch.

use std::io;

use corral_domain::limits::LOG_PARTITIONS_MAX;
use corral_domain::{LogEpoch, LogId, Micros};
use corral_event_log::{LogError, LogIdentity};

use crate::recover;
use crate::slots::{self, Found, Slot, SlotFile, SlotKind};
use crate::storage::Storage;

const IDENTITY: &str = "identity";

/// The identity of the log that the storage holds; a new log's if it holds none yet.
pub(crate) fn open(storage: &dyn Storage, partitions: u16) -> Result<LogIdentity, LogError> {
    let Some(file) = read(storage)? else { return make(storage, partitions) };
    let found = identity(&file);
    if found.partitions != partitions {
        let has = format!("the log has {} partitions, {partitions} were asked for", found.partitions);
        return Err(LogError::Fatal(format!("identity: {has}; the count can never change")));
    }
    Ok(found)
}

/// Raises the epoch above each that this log may ever have had: one backup may be put back more than once, so its own
/// epoch + 1 may have been used before; seconds have not, as a restore takes more than one.
pub(crate) fn raise_epoch(storage: &dyn Storage, now: Micros) -> Result<LogIdentity, LogError> {
    let mut file = read(storage)?.ok_or_else(|| LogError::Invalid("there is no event log here".to_owned()))?;
    let slot = file.current();
    let seconds = u32::try_from(now.0 / 1_000_000).unwrap_or_default();
    let epoch = u64::from(seconds).max(slot.b + 1);
    file.write_both(Slot { b: epoch, ..slot }).map_err(|error| recover::failed(IDENTITY, &error))?;
    Ok(identity(&file))
}

fn read(storage: &dyn Storage) -> Result<Option<SlotFile>, LogError> {
    match slots::read(storage, IDENTITY, SlotKind::Identity).map_err(|error| recover::failed(IDENTITY, &error))? {
        Found::Newer(version) => Err(recover::newer(IDENTITY, version)),
        Found::Damaged => Err(LogError::Fatal("identity: both of its slots are damaged".to_owned())),
        Found::Missing => Ok(None),
        Found::Slot(file) => Ok(Some(file)),
    }
}

fn identity(file: &SlotFile) -> LogIdentity {
    let Slot { log_id, a: partitions, b: epoch, .. } = file.current();
    LogIdentity { log_id, log_epoch: LogEpoch(epoch as u32), partitions: u16::try_from(partitions).unwrap_or(u16::MAX) }
}

fn make(storage: &dyn Storage, partitions: u16) -> Result<LogIdentity, LogError> {
    let failed = |error: io::Error| recover::failed(IDENTITY, &error);
    if !(1..=LOG_PARTITIONS_MAX).contains(&partitions) {
        return Err(LogError::Invalid(format!("partitions: must be 1 to {LOG_PARTITIONS_MAX}")));
    }
    for partition in 0..partitions {
        let dir = recover::partition_dir(partition);
        if storage.list(&dir).map_err(failed)?.iter().any(|name| name.ends_with(recover::SEGMENT_SUFFIX)) {
            return Err(LogError::Fatal(format!("identity is missing, but {dir} holds segments")));
        }
    }
    let log_id = LogId(uuid::Uuid::new_v4());
    let slot = Slot { log_id, partition: 0, a: u64::from(partitions), b: 1 };
    slots::create(storage, IDENTITY, SlotKind::Identity, slot).map_err(failed)?;
    Ok(LogIdentity { log_id, log_epoch: LogEpoch(1), partitions })
}
