//! A run's series, their aggregates, chunks and sets.

use bytes::Bytes;
use corral_domain::{OrganizationId, RunId, Take};

use crate::layout::KeyBytes;
use crate::metric::dictionary_partition;
use crate::{Key, Table, part, row};

pub fn key(organization: OrganizationId, run: &RunId, index: u32) -> Key {
    let partition = dictionary_partition(organization, run, index);
    Key { table: Table::Series, partition, clustering: KeyBytes::new().u32(index).build() }
}
pub fn stat_key(organization: OrganizationId, run: &RunId, index: u32) -> Key {
    let partition = dictionary_partition(organization, run, index);
    Key { table: Table::SeriesStat, partition, clustering: KeyBytes::new().u32(index).build() }
}
pub fn chunk_partition(organization: OrganizationId, run: &RunId, series: u32) -> Bytes {
    KeyBytes::new().raw(organization.as_bytes()).text(run.as_str()).u32(series).build()
}
/// `level` and `number` of the seal (level 0) or merge that made the chunk, `i` its place among that one's chunks of
/// this series.
pub fn chunk_key(partition: Bytes, level: u8, number: u32, i: u32) -> Key {
    Key { table: Table::Chunk, partition, clustering: KeyBytes::new().u8(level).u32(number).u32(i).build() }
}
/// (level, number, i) of a chunk's clustering key.
pub fn chunk_of(clustering: &[u8]) -> Option<(u8, u32, u32)> {
    let word = |at: usize| Some(u32::from_be_bytes(clustering.get(at..at + 4)?.try_into().ok()?));
    Some((*clustering.first()?, word(1)?, word(5)?))
}
pub fn directory_key(organization: OrganizationId, run: &RunId, level: u8, number: u32) -> Key {
    let partition = KeyBytes::new().raw(organization.as_bytes()).text(run.as_str()).build();
    Key { table: Table::SetDirectory, partition, clustering: KeyBytes::new().u8(level).u32(number).build() }
}
pub fn block_partition(organization: OrganizationId, run: &RunId, level: u8, number: u32) -> Bytes {
    KeyBytes::new().raw(organization.as_bytes()).text(run.as_str()).u8(level).u32(number).build()
}
pub fn block_key(organization: OrganizationId, run: &RunId, level: u8, number: u32, block: u32) -> Key {
    let partition = block_partition(organization, run, level, number);
    Key { table: Table::SetBlock, partition, clustering: KeyBytes::new().u32(block).build() }
}

row! {
    /// A series is (run, take, metric, writer label); its index counts from 0 in the run.
    pub struct SeriesRow = 1 {
        take: Take,
        /// Index in the run's metric dictionary.
        metric: u32,
        label: String,
    }
}

row! {
    /// A series' aggregate over everything sealed, folded in log order (so that it is the same in every schedule).
    pub struct SeriesStatRow = 1 {
        count: u64,
        nan_count: u64,
        /// Over values that are not NaN; infinities count. Meaningless while `count == nan_count`.
        min: f64,
        max: f64,
        /// Sum of the values that are not NaN, added in log order.
        sum: f64,
        /// The value at the highest step, then the latest arrival; NaN counts as a value here.
        last_step: i64,
        last_kind: u8,
        last_bits: u64,
        last_time_us: i64,
        min_step: i64,
        max_step: i64,
    }
}

row! {
    /// What a set holds: an entry a series, sorted by series.
    pub struct DirectoryRow = 1 {
        blocks: u32,
        entries: Vec<DirectoryEntry>,
    }
}

part! {
    pub struct DirectoryEntry {
        series: u32,
        points: u32,
        block: u32,
    }
}

row! {
    /// Pieces of a set, sorted by series, at most `SET_BLOCK_BYTES_MAX` unless one piece alone is larger.
    pub struct BlockRow = 1 {
        pieces: Vec<(u32, Bytes)>,
    }
}
