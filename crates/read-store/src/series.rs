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
/// All directory rows of a run's sets.
pub fn directory_partition(organization: OrganizationId, run: &RunId) -> Bytes {
    KeyBytes::new().raw(organization.as_bytes()).text(run.as_str()).build()
}
/// A set's directory is split by series: the row that may name series `s` is the last one of the set with
/// `from_series <= s` (one reversed scan of one row, from [`directory_clustering`] `(level, number, 0)` to
/// `(level, number, s) + a zero byte`).
pub fn directory_key(organization: OrganizationId, run: &RunId, level: u8, number: u32, from_series: u32) -> Key {
    let partition = directory_partition(organization, run);
    Key { table: Table::SetDirectory, partition, clustering: directory_clustering(level, number, from_series) }
}
pub fn directory_clustering(level: u8, number: u32, from_series: u32) -> Bytes {
    KeyBytes::new().u8(level).u32(number).u32(from_series).build()
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
    /// A series' aggregate at a seal. A row may be one seal ahead of the state: take [`SeriesStatRow::at`].
    pub struct SeriesStatRow = 1 {
        /// The state's `seals` once the seal that wrote the row counts.
        seals: u32,
        /// Everything sealed up to and with that seal.
        stat: SeriesStat,
        /// Everything sealed before it.
        before: SeriesStat,
    }
}

impl SeriesStatRow {
    /// What a state with `seals` counts as sealed (add the tail for all points); `None`: the row is two seals or more
    /// ahead, so the state is old: read it again.
    pub fn at(&self, seals: u32) -> Option<&SeriesStat> {
        match self.seals {
            own if own <= seals => Some(&self.stat),
            own if own == seals.saturating_add(1) => Some(&self.before),
            _ => None,
        }
    }
}

part! {
    /// An aggregate over points, folded in log order (so that it is the same in every schedule): see `stat.rs`.
    pub struct SeriesStat {
        count: u64,
        nan_count: u64,
        /// Over values that are not NaN; infinities count. Meaningless while `count == nan_count`.
        min: f64,
        max: f64,
        /// Sum of the values that are not NaN, added in log order.
        sum: f64,
        /// The value at the highest step, then the latest arrival; NaN counts as a value here. The kind is
        /// `ColumnType` as a number, 0 while there is none.
        last_step: i64,
        last_kind: u8,
        last_bits: u64,
        last_time_us: i64,
        last_appended_us: i64,
        min_step: i64,
        max_step: i64,
    }
}

row! {
    /// A part of what a set holds, sorted by series. A set is whole when its rows are numbered from 0 without a gap and
    /// the last one, and no other, says `last`. A set without pieces has one row without entries.
    pub struct DirectoryRow = 1 {
        part: u32,
        last: bool,
        entries: Vec<DirectoryEntry>,
    }
}

part! {
    pub struct DirectoryEntry {
        series: u32,
        points: u32,
        /// The block that holds the series' piece: [`block_key`].
        block: u32,
    }
}

row! {
    /// Pieces of a set, sorted by series, at most `SET_BLOCK_BYTES_MAX` unless one piece alone is larger.
    pub struct BlockRow = 1 {
        pieces: Vec<(u32, Bytes)>,
    }
}
