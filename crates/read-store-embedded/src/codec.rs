//! Keys and values as they lie in the tree.
//!
//! Table 0 is the store's own: `[0, 'c', log partition (u16)]` is a checkpoint, `[0, 'i']` names the build.

use bytes::Bytes;
use corral_domain::{BuildId, Micros, Offset, Partition};
use corral_read_store::{Checkpoint, Key, Row, StoreError, Table, row};
use fjall::Slice;

const LIVE: u8 = 1;
const DELETED: u8 = 2;
/// State (u8) and timestamp (u64) before the value.
pub(crate) const HEADER_BYTES: usize = 9;
/// Smaller values are copied out, so that a row of a few bytes does not keep a whole block in memory.
const COPY_BYTES_MAX: usize = 1_024;

pub(crate) fn row_key(key: &Key) -> Vec<u8> {
    place(key.table, &key.partition, &key.clustering)
}

pub(crate) fn place(table: Table, partition: &[u8], clustering: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(3 + partition.len() + clustering.len());
    bytes.push(table as u8);
    // Keys are checked against `STORE_KEY_BYTES_MAX` when they are written; a longer one that is only read finds nothing.
    bytes.extend_from_slice(&(partition.len().min(usize::from(u16::MAX)) as u16).to_be_bytes());
    bytes.extend_from_slice(partition);
    bytes.extend_from_slice(clustering);
    bytes
}

/// The first key behind all that start with `prefix` (which never is all 0xff: it starts with a table's number).
pub(crate) fn end_of(prefix: &[u8]) -> Vec<u8> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX).map_or(0, |at| at + 1);
    let mut end = prefix[..kept].to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

/// (partition, clustering) of a key of the tree.
pub(crate) fn split(key: &Slice) -> Result<(Bytes, Bytes), StoreError> {
    let damaged = || StoreError::Damaged("a key that is too short".to_owned());
    let len = key.get(1..3).and_then(|len| len.try_into().ok()).map(u16::from_be_bytes).ok_or_else(damaged)?;
    let end = 3 + usize::from(len);
    let partition = key.get(3..end).ok_or_else(damaged)?;
    Ok((Bytes::copy_from_slice(partition), Bytes::copy_from_slice(&key[end..])))
}

/// The clustering key of a row of a partition whose key is `partition_bytes` long.
pub(crate) fn clustering(key: &Slice, partition_bytes: usize) -> Bytes {
    Bytes::copy_from_slice(key.get(3 + partition_bytes..).unwrap_or_default())
}

pub(crate) fn encode(timestamp: u64, value: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + value.map_or(0, <[u8]>::len));
    bytes.push(if value.is_some() { LIVE } else { DELETED });
    bytes.extend_from_slice(&timestamp.to_le_bytes());
    bytes.extend_from_slice(value.unwrap_or_default());
    bytes
}

/// (timestamp, value or `None` if deleted).
pub(crate) fn decode(bytes: Slice) -> Result<(u64, Option<Bytes>), StoreError> {
    let damaged = |what: &str| StoreError::Damaged(format!("a row's value {what}"));
    let timestamp = bytes.get(1..HEADER_BYTES).and_then(|word| word.try_into().ok()).map(u64::from_le_bytes);
    let timestamp = timestamp.ok_or_else(|| damaged("is too short"))?;
    match bytes[0] {
        LIVE if bytes.len() <= COPY_BYTES_MAX => Ok((timestamp, Some(Bytes::copy_from_slice(&bytes[HEADER_BYTES..])))),
        LIVE => Ok((timestamp, Some(Bytes::from(bytes).slice(HEADER_BYTES..)))),
        DELETED => Ok((timestamp, None)),
        _ => Err(damaged("is neither live nor deleted")),
    }
}

pub(crate) fn checkpoint_key(partition: Partition) -> Vec<u8> {
    let [high, low] = partition.0.to_be_bytes();
    vec![0, b'c', high, low]
}
pub(crate) const IDENTITY_KEY: [u8; 2] = [0, b'i'];

row! {
    /// A checkpoint as it lies on the disk.
    pub struct CheckpointRow = 1 {
        offset: Offset,
        complete_through: Micros,
        stopped: Option<String>,
        stale_since: Micros,
    }
}

pub(crate) fn encode_checkpoint(checkpoint: &Checkpoint) -> Bytes {
    let Checkpoint { offset, complete_through, stopped, stale_since } = checkpoint.clone();
    CheckpointRow { offset, complete_through, stopped, stale_since }.encode()
}
pub(crate) fn decode_checkpoint(bytes: Slice) -> Result<Checkpoint, StoreError> {
    let CheckpointRow { offset, complete_through, stopped, stale_since } = CheckpointRow::decode(&bytes.into())?;
    Ok(Checkpoint { offset, complete_through, stopped, stale_since })
}

row! {
    /// Which build a directory holds; its version is that of the whole layout.
    pub struct IdentityRow = 1 {
        build: u32,
    }
}

pub(crate) fn encode_identity(build: BuildId) -> Bytes {
    IdentityRow { build: build.0 }.encode()
}
pub(crate) fn check_identity(bytes: Slice, build: BuildId) -> Result<(), StoreError> {
    let found = IdentityRow::decode(&bytes.into())?.build;
    if found == build.0 {
        return Ok(());
    }
    Err(StoreError::Damaged(format!("the directory of build {} holds build {found}", build.0)))
}
