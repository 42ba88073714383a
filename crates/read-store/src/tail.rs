//! Tail rows: a run's recent records, whole, as they came from the wire.

use bytes::Bytes;
use corral_domain::{Micros, Offset, OrganizationId, RunId, Take};

use crate::layout::KeyBytes;
use crate::{Key, Table, row};

/// The partition of a run's tail rows of one bucket (= the number of seals before them).
pub fn partition(organization: OrganizationId, run: &RunId, bucket: u32) -> Bytes {
    KeyBytes::new().raw(organization.as_bytes()).text(run.as_str()).u32(bucket).build()
}
pub fn key(partition: Bytes, offset: Offset) -> Key {
    Key { table: Table::Tail, partition, clustering: KeyBytes::new().u64(offset.0).build() }
}

row! {
    /// One record after deduplication.
    pub struct TailRow = 1 {
        append_time: Micros,
        take: Take,
        /// The writer's index in the run; its label and metric ids are found by it.
        writer: u32,
        label: String,
        /// The seq of the payload's first item.
        first: u64,
        /// The ranges of seqs that apply, sorted; items outside are duplicates.
        keep: Vec<(u64, u64)>,
        /// Points that apply.
        points: u64,
        /// `RunItems` of `event.proto`, untouched.
        payload: Bytes,
    }
}

/// The rows of an entry that apply: of `count` items from seq `first`, those inside `keep`, as ranges from 0.
pub fn kept(keep: &[(u64, u64)], first: u64, count: u64) -> impl Iterator<Item = std::ops::Range<usize>> {
    let last = first.saturating_add(count.saturating_sub(1));
    keep.iter().filter(move |(from, to)| count > 0 && *from <= last && *to >= first).map(move |(from, to)| {
        let start = from.saturating_sub(first) as usize;
        start..(to.min(&last) - first) as usize + 1
    })
}
