//! Which logs a blob store holds archives of, and where things lie.
//!
//! ```text
//! identity   magic "CORRALAI" | version u16 | partitions u16 | epoch u32 | log id 16 | crc32c u32
//! ```

use bytes::Bytes;
use corral_blob_store::{BlobStore, Digest};
use corral_domain::{LogEpoch, LogId, Offset, Partition};
use corral_event_log::LogIdentity;
use corral_segment::format::{bytes_at, u16_at, u32_at};

use crate::ArchiveError;

pub(crate) const ROOT: &str = "archive";
const MAGIC: &[u8; 8] = b"CORRALAI";
const VERSION: u16 = 1;
const BYTES: usize = 36;

/// A log whose archive was found.
pub type Archived = LogIdentity;

/// Every log that the store has an archive of, by log id, then epoch.
pub async fn find(blobs: &BlobStore) -> Result<Vec<Archived>, ArchiveError> {
    let mut found = Vec::new();
    for log in blobs.names(ROOT).await? {
        let Ok(log_id) = log.parse::<LogId>() else { continue };
        for epoch in blobs.names(&format!("{ROOT}/{log}")).await? {
            let Ok(epoch) = epoch.parse::<u32>() else { continue };
            found.push(read(blobs, log_id, LogEpoch(epoch)).await?);
        }
    }
    Ok(found)
}

/// Makes the archive of a log, or finds that it is the log's.
pub(crate) async fn open(blobs: &BlobStore, identity: &LogIdentity) -> Result<(), ArchiveError> {
    let (log, epoch) = (identity.log_id, identity.log_epoch);
    if blobs.put_new(&identity_key(log, epoch), encode(identity)).await? {
        return Ok(());
    }
    let found = read(blobs, log, epoch).await?;
    if found != *identity {
        let (has, wants) = (found.partitions, identity.partitions);
        return Err(ArchiveError::Damaged(format!("the archive of {log} has {has} partitions, the log has {wants}")));
    }
    Ok(())
}

async fn read(blobs: &BlobStore, log: LogId, epoch: LogEpoch) -> Result<LogIdentity, ArchiveError> {
    let key = identity_key(log, epoch);
    let bytes = blobs.get(&key, BYTES as u64).await?;
    let identity = decode(&bytes).ok_or_else(|| ArchiveError::Damaged(format!("{key} cannot be read")))?;
    match (identity.log_id, identity.log_epoch) == (log, epoch) {
        true => Ok(identity),
        false => Err(ArchiveError::Damaged(format!("{key} is another log's"))),
    }
}

fn encode(identity: &LogIdentity) -> Bytes {
    let mut out = Vec::with_capacity(BYTES);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&identity.partitions.to_le_bytes());
    out.extend_from_slice(&identity.log_epoch.0.to_le_bytes());
    out.extend_from_slice(identity.log_id.as_bytes());
    sealed(out)
}

fn decode(bytes: &[u8]) -> Option<LogIdentity> {
    let body = unsealed(bytes).filter(|body| body.len() == BYTES - 4 && body.starts_with(MAGIC))?;
    (u16_at(body, 8) == VERSION).then(|| LogIdentity {
        log_id: LogId::from_bytes(bytes_at(body, 16)),
        log_epoch: LogEpoch(u32_at(body, 12)),
        partitions: u16_at(body, 10),
    })
}

/// The bytes with their CRC behind them.
pub(crate) fn sealed(mut bytes: Vec<u8>) -> Bytes {
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.into()
}

/// The bytes before their CRC, if it is right.
pub(crate) fn unsealed(bytes: &[u8]) -> Option<&[u8]> {
    let at = bytes.len().checked_sub(4)?;
    let (body, crc) = bytes.split_at(at);
    (crc32c::crc32c(body) == u32_at(crc, 0)).then_some(body)
}

pub(crate) fn log_prefix(log: LogId, epoch: LogEpoch) -> String {
    format!("{ROOT}/{log}/{:010}", epoch.0)
}

fn identity_key(log: LogId, epoch: LogEpoch) -> String {
    format!("{}/identity", log_prefix(log, epoch))
}

/// Where a partition's objects lie.
#[derive(Clone, Debug)]
pub(crate) struct Keys(String);

impl Keys {
    pub(crate) fn new(identity: &LogIdentity, partition: Partition) -> Self {
        Self(format!("{}/p{:05}", log_prefix(identity.log_id, identity.log_epoch), partition.0))
    }

    pub(crate) fn segments(&self) -> String {
        format!("{}/segments", self.0)
    }

    pub(crate) fn segment(&self, from: Offset, digest: &Digest) -> String {
        format!("{}/segments/{:020}-{digest}.seg", self.0, from.0)
    }

    pub(crate) fn manifest(&self) -> String {
        format!("{}/manifest", self.0)
    }

    pub(crate) fn entry(&self, number: u32) -> String {
        format!("{}/manifest/{number:010}", self.0)
    }

    pub(crate) fn deduplication(&self) -> String {
        format!("{}/deduplication", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_has_the_bytes_of_version_1() {
        let identity = LogIdentity { log_id: LogId::from_bytes([0xa1; 16]), log_epoch: LogEpoch(3), partitions: 4 };
        let bytes = encode(&identity);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "434f5252414c41490100040003000000a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a150fdde0d");
        assert_eq!(decode(&bytes), Some(identity));
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 4;
            assert_eq!(decode(&damaged), None, "byte {at}");
            assert_eq!(decode(&bytes[..at]), None);
        }
    }
}
