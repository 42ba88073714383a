//! Which log this is: records of a topic of their own, `TOPIC.identity`, of one partition that is never trimmed.
//!
//! A record is 23 bytes: version (1), log id (16 bytes of the UUID), log epoch (u32), partitions (u16), little-endian. The
//! first one decides, so processes that open a new log at once agree; a later one of the same log can only raise its epoch.

use corral_domain::{LogEpoch, LogId};
use corral_event_log::{LogError, LogIdentity};

const VERSION: u8 = 1;
pub(crate) const IDENTITY_BYTES: usize = 23;

pub(crate) fn encode(identity: &LogIdentity) -> [u8; IDENTITY_BYTES] {
    let mut bytes = [VERSION; IDENTITY_BYTES];
    bytes[1..17].copy_from_slice(identity.log_id.0.as_bytes());
    bytes[17..21].copy_from_slice(&identity.log_epoch.0.to_le_bytes());
    bytes[21..].copy_from_slice(&identity.partitions.to_le_bytes());
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Result<LogIdentity, LogError> {
    let fatal = |what: String| Err(LogError::Fatal(format!("kafka: the identity record {what}")));
    match bytes.first() {
        Some(&VERSION) => {}
        Some(version) => return fatal(format!("has version {version}; this program knows {VERSION}")),
        None => return fatal("is empty".to_owned()),
    }
    let Ok(bytes) = <&[u8; IDENTITY_BYTES]>::try_from(bytes) else {
        return fatal(format!("has {} bytes, not {IDENTITY_BYTES}", bytes.len()));
    };
    let [_, rest @ ..] = bytes;
    let (log_id, rest) = rest.split_first_chunk::<16>().expect("22 bytes are left");
    let (epoch, partitions) = rest.split_first_chunk::<4>().expect("6 bytes are left");
    Ok(LogIdentity {
        log_id: LogId(uuid::Uuid::from_bytes(*log_id)),
        log_epoch: LogEpoch(u32::from_le_bytes(*epoch)),
        partitions: u16::from_le_bytes([partitions[0], partitions[1]]),
    })
}

/// What the records of the identity topic say together; none if there is none.
pub(crate) fn current(records: &[Vec<u8>]) -> Result<Option<LogIdentity>, LogError> {
    let mut current: Option<LogIdentity> = None;
    for record in records {
        let said = decode(record)?;
        match &mut current {
            None => current = Some(said),
            Some(current) if current.log_id == said.log_id && current.partitions == said.partitions => {
                current.log_epoch = current.log_epoch.max(said.log_epoch);
            }
            // Of a process that opened the new log at the same time, and lost.
            Some(_) => {}
        }
    }
    Ok(current)
}

#[cfg(test)]
mod tests;
