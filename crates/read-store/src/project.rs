//! Projects, the names they have claimed, and their aggregates per log partition.

use bytes::Bytes;
use corral_domain::{Micros, Offset, OrganizationId, Partition, ProjectId};

use crate::layout::KeyBytes;
use crate::{Key, Table, row};

pub fn partition(organization: OrganizationId) -> Bytes {
    KeyBytes::new().raw(organization.as_bytes()).build()
}
pub fn key(organization: OrganizationId, project: ProjectId) -> Key {
    let clustering = KeyBytes::new().raw(project.as_bytes()).build();
    Key { table: Table::Project, partition: partition(organization), clustering }
}
pub fn name_key(organization: OrganizationId, name: &str) -> Key {
    let clustering = KeyBytes::new().raw(name.as_bytes()).build();
    Key { table: Table::ProjectName, partition: partition(organization), clustering }
}
pub fn stat_partition(organization: OrganizationId, project: ProjectId) -> Bytes {
    KeyBytes::new().raw(organization.as_bytes()).raw(project.as_bytes()).build()
}
pub fn stat_key(organization: OrganizationId, project: ProjectId, log_partition: Partition) -> Key {
    let partition = stat_partition(organization, project);
    Key { table: Table::ProjectStat, partition, clustering: KeyBytes::new().u16(log_partition.0).build() }
}
pub fn dead_letter_key(log_partition: Partition, offset: Offset) -> Key {
    let partition = KeyBytes::new().u16(log_partition.0).build();
    Key { table: Table::DeadLetter, partition, clustering: KeyBytes::new().u64(offset.0).build() }
}

row! {
    pub struct ProjectRow = 1 {
        name: String,
        created: Micros,
        actor: String,
    }
}
row! {
    pub struct ProjectNameRow = 1 {
        project: ProjectId,
    }
}
row! {
    /// Added up over partitions by the reader.
    pub struct ProjectStatRow = 1 {
        /// Events below this offset are counted: a replay adds nothing.
        through: Offset,
        runs: u64,
        last_active: Micros,
    }
}
row! {
    /// An event that a projection refused, with its bytes: a deterministic outcome of (event, build).
    pub struct DeadLetterRow = 1 {
        append_time: Micros,
        reason: String,
        bytes: Bytes,
    }
}
