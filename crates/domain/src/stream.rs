//! A stream is the unit of order; its key chooses the partition.

use std::fmt;

use crate::id::{IdError, OrganizationId, RunId};
use crate::position::Partition;

/// What a stream belongs to. The numbers are persisted; a retired one stays retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamKind {
    /// Where names are claimed.
    Organization = 1,
    Project = 2,
    Run = 3,
}

/// All events of one noun. Starts with the organization, which never changes; a run's project is an attribute.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey {
    pub organization: OrganizationId,
    pub kind: StreamKind,
    /// The noun's id in its text form; empty for the organization itself.
    pub id: String,
}

impl StreamKey {
    pub fn organization(organization: OrganizationId) -> Self {
        Self { organization, kind: StreamKind::Organization, id: String::new() }
    }
    pub fn run(organization: OrganizationId, run: &RunId) -> Self {
        Self { organization, kind: StreamKind::Run, id: run.as_str().to_owned() }
    }
    /// The run of a run's stream.
    pub fn run_id(&self) -> Result<RunId, IdError> {
        match self.kind {
            StreamKind::Run => self.id.parse(),
            _ => Err(IdError { field: "stream", reason: "is not a run's" }),
        }
    }
    /// Organization (16 bytes), kind (1 byte), id: what is hashed, and the key of the stream's rows.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(17 + self.id.len());
        bytes.extend_from_slice(self.organization.as_bytes());
        bytes.push(self.kind as u8);
        bytes.extend_from_slice(self.id.as_bytes());
        bytes
    }
    /// Our own hash (64-bit FNV-1a, then the finalizer of MurmurHash3) modulo the count that the log's identity record
    /// fixes. Persisted by every log: it can never change.
    pub fn partition(&self, partitions: u16) -> Partition {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in self.to_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        hash ^= hash >> 33;
        Partition((hash % u64::from(partitions.max(1))) as u16)
    }
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            StreamKind::Organization => "organization",
            StreamKind::Project => "project",
            StreamKind::Run => "run",
        };
        write!(f, "{}/{kind}/{}", self.organization, self.id)
    }
}
impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_of_a_key_never_changes() {
        let organization = OrganizationId::from_bytes([7; 16]);
        let at = |id: &str| StreamKey::run(organization, &id.parse().expect("an id")).partition(4).0;
        assert_eq!(["a", "b", "c", "swift-mesa-41"].map(at), GOLDEN);
    }
    /// Written down when the hash was chosen.
    const GOLDEN: [u16; 4] = [1, 2, 2, 2];
}
