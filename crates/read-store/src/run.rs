//! What lists and pages show of a run: head, config, revisions, objects.

use bytes::Bytes;
use corral_domain::{Micros, Offset, OrganizationId, ProjectId, RunId, Take};

use crate::layout::KeyBytes;
use crate::{Key, Table, part, row};

/// Partitions that a project's heads are spread over.
pub const HEAD_PARTITIONS: u8 = 64;

/// FNV-1a of the run's id mod 64: which partition of its project's heads a run is in.
pub fn head_spread(run: &RunId) -> u8 {
    let hash = run.as_str().bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    (hash % u32::from(HEAD_PARTITIONS)) as u8
}
pub fn head_partition(organization: OrganizationId, project: ProjectId, spread: u8) -> Bytes {
    KeyBytes::new().raw(organization.as_bytes()).raw(project.as_bytes()).u8(spread).build()
}
pub fn head_key(organization: OrganizationId, project: ProjectId, run: &RunId) -> Key {
    let partition = head_partition(organization, project, head_spread(run));
    Key { table: Table::RunHead, partition, clustering: KeyBytes::new().raw(run.as_str().as_bytes()).build() }
}
fn run_partition(organization: OrganizationId, run: &RunId) -> Bytes {
    KeyBytes::new().raw(organization.as_bytes()).text(run.as_str()).build()
}
/// A config is one row while it is below `CONFIG_BYTES_MAX`; `part` leaves room for more.
pub fn config_key(organization: OrganizationId, run: &RunId, part: u32) -> Key {
    let partition = run_partition(organization, run);
    Key { table: Table::RunConfig, partition, clustering: KeyBytes::new().u32(part).build() }
}
pub fn revision_partition(organization: OrganizationId, run: &RunId) -> Bytes {
    run_partition(organization, run)
}
pub fn revision_key(organization: OrganizationId, run: &RunId, offset: Offset) -> Key {
    let partition = run_partition(organization, run);
    Key { table: Table::RunRevision, partition, clustering: KeyBytes::new().u64(offset.0).build() }
}
/// Objects of one bucket of 4,096 (`number` counts a run's objects from 0).
pub fn object_key(organization: OrganizationId, run: &RunId, number: u64) -> Key {
    let bucket = (number >> 12) as u32;
    let partition = KeyBytes::new().raw(organization.as_bytes()).text(run.as_str()).u32(bucket).build();
    Key { table: Table::Object, partition, clustering: KeyBytes::new().u64(number).build() }
}

row! {
    /// A run as lists show it, at most about 4 KiB: written whole by each commit that changes it.
    pub struct RunHeadRow = 1 {
        project: ProjectId,
        name: String,
        notes: String,
        tags: Vec<String>,
        group: String,
        job_type: String,
        actor: String,
        created: Micros,
        /// Append time of the last record, heartbeats too.
        last_append: Micros,
        /// Client time of the first and the last point, us.
        first_point_us: i64,
        last_point_us: i64,
        finished: Micros,
        /// `RunState` as a number, never derived ones.
        state: u8,
        exit_code: Option<i32>,
        message: String,
        take: Take,
        max_step: i64,
        points: u64,
        metrics: u32,
        /// Items that are missing or not whole, all writers.
        gap_items: u64,
        /// The first 200 summary keys by order of appearance (`HEAD_SUMMARY_KEYS_MAX`).
        summary: Vec<(String, SummaryValue)>,
        /// Leaves of the config that fit (first 100): joined path and value as JSON text.
        config: Vec<(String, String)>,
    }
}

part! {
    /// A figure of a metric by its rule, or a value set by hand.
    pub struct SummaryValue {
        /// `ColumnType` as a number, or 0: `text` is a value set by hand, as JSON text.
        kind: u8,
        bits: u64,
        text: String,
    }
}

row! {
    /// The whole config: (path parts, value as JSON text with numbers spelled so that they come back exactly).
    pub struct RunConfigRow = 1 {
        entries: Vec<(Vec<String>, String)>,
    }
}

row! {
    /// A revision: the head as it was after the event at the key's offset, in append time, so that any moment can be read.
    /// Written by events that change what a person set or the state, not by points.
    pub struct RunRevisionRow = 1 {
        append_time: Micros,
        actor: String,
        /// Names of the fields that changed.
        changed: Vec<String>,
        /// [`RunHeadRow`] encoded.
        head: Bytes,
        /// [`RunConfigRow`] encoded where the config changed, else empty.
        config: Bytes,
    }
}

row! {
    pub struct ObjectRow = 1 {
        append_time: Micros,
        take: Take,
        label: String,
        /// Index in the run's metric dictionary.
        metric: u32,
        step: i64,
        time_us: i64,
        media_type: String,
        body: Bytes,
    }
}
