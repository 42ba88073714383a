//! Compares a live store with a rebuilt one, row by row: what the states name must be equal to the last byte.
//!
//! Left out is only what no state names: rows from the future of a crash, rows that were replaced and are still there, and
//! what is no function of the log (checkpoints). Values are compared as bytes, so that NaN equals NaN and -0.0 is not 0.0.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use corral_domain::{OrganizationId, RunId, StreamKey};
use corral_read_store::layout::{Field, Row};
use corral_read_store::series::{SeriesStat, SeriesStatRow};
use corral_read_store::state::{self, RunStateRow, WriterRow};
use corral_read_store::{Key, Range, ReadStore, Table, Write};

use crate::load::rows;
use crate::planted;
use crate::policy::Halt;

/// Rows of one page of a dump, runs whose state is remembered, and differences that are named.
const PAGE_ROWS_MAX: usize = 512;
const STATES_COUNT_MAX: usize = 1_024;
const DIFFERENCES_COUNT_MAX: usize = 100;

/// Equal rows, by table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(pub BTreeMap<&'static str, u64>);

impl Counts {
    pub fn rows(&self) -> u64 {
        self.0.values().sum()
    }
}

/// A row that one store has otherwise than the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub table: Table,
    pub key: Key,
    pub live: Option<Bytes>,
    pub rebuilt: Option<Bytes>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = |value: &Option<Bytes>| {
            value.as_ref().map_or_else(|| "no row".to_owned(), |v| format!("{} bytes", v.len()))
        };
        let (partition, clustering) = (self.key.partition.escape_ascii(), self.key.clustering.escape_ascii());
        let (live, rebuilt) = (said(&self.live), said(&self.rebuilt));
        write!(f, "{:?} {partition} / {clustering}: live {live}, rebuilt {rebuilt}", self.table)
    }
}

/// Why two stores are not equal.
#[derive(Debug, thiserror::Error)]
pub enum Unequal {
    /// The first of them, at most 100.
    #[error("the stores differ in {} rows or more; the first: {}", .0.len(), .0[0])]
    Different(Vec<Difference>),
    #[error(transparent)]
    Unreadable(#[from] Halt),
}

/// Compares all tables. Both stores must stand still, at the same position.
pub async fn verify(live: &dyn ReadStore, rebuilt: &dyn ReadStore) -> Result<Counts, Unequal> {
    let mut counts = Counts::default();
    let mut found = Vec::new();
    for table in Table::ALL {
        let (mut a, mut b) = (Side::new(live, table), Side::new(rebuilt, table));
        let mut equal = 0;
        loop {
            let (left, right) = (a.peek().await?, b.peek().await?);
            let (left, right) = match (left, right) {
                (None, None) => break,
                (Some(l), Some(r)) if order(&l) < order(&r) => (Some(l), None),
                (Some(l), Some(r)) if order(&l) > order(&r) => (None, Some(r)),
                both => both,
            };
            if left.is_some() {
                a.next = None;
            }
            if right.is_some() {
                b.next = None;
            }
            let of = |row: &Option<Write>| row.as_ref().and_then(|row| row.value.clone());
            let (x, y) = (of(&left), of(&right));
            if same(table, x.as_ref(), y.as_ref()) {
                equal += 1;
            } else if let Some(row) = left.or(right) {
                found.push(Difference { table, key: row.key, live: x, rebuilt: y });
            }
            if found.len() >= DIFFERENCES_COUNT_MAX {
                return Err(Unequal::Different(found));
            }
        }
        counts.0.insert(table.name(), equal);
    }
    if found.is_empty() { Ok(counts) } else { Err(Unequal::Different(found)) }
}

fn order(row: &Write) -> (usize, &Bytes, &Bytes) {
    (row.key.partition.len(), &row.key.partition, &row.key.clustering)
}

fn same(table: Table, live: Option<&Bytes>, rebuilt: Option<&Bytes>) -> bool {
    if planted::bug(planted::NAN_BY_VALUE)
        && table == Table::SeriesStat
        && let (Some(a), Some(b)) = (live, rebuilt)
    {
        return SeriesStat::take(&mut a.clone()) == SeriesStat::take(&mut b.clone());
    }
    live == rebuilt
}

/// One store's rows of a table that its states name, in the order of a dump.
struct Side<'a> {
    store: &'a dyn ReadStore,
    table: Table,
    page: std::vec::IntoIter<Write>,
    after: Option<(Bytes, Bytes)>,
    ended: bool,
    next: Option<Write>,
    states: HashMap<StreamKey, Option<Named>>,
}

/// A run's state as far as it names rows.
struct Named {
    head: RunStateRow,
    /// Metrics of each writer.
    writers: HashMap<u32, u32>,
}

impl<'a> Side<'a> {
    fn new(store: &'a dyn ReadStore, table: Table) -> Self {
        let page = Vec::new().into_iter();
        Self { store, table, page, after: None, ended: false, next: None, states: HashMap::new() }
    }

    async fn peek(&mut self) -> Result<Option<Write>, Halt> {
        while self.next.is_none() {
            let Some(row) = self.page.next() else {
                if self.ended {
                    return Ok(None);
                }
                let page = self.store.dump(self.table, self.after.take(), PAGE_ROWS_MAX).await?;
                self.ended = page.len() < PAGE_ROWS_MAX;
                self.after = page.last().map(|row| (row.key.partition.clone(), row.key.clustering.clone()));
                self.page = page.into_iter();
                continue;
            };
            self.next = self.named(row).await?;
        }
        Ok(self.next.clone())
    }

    /// The row as it is compared; `None`: no state names it.
    async fn named(&mut self, row: Write) -> Result<Option<Write>, Halt> {
        let Some(stream) = stream_of(self.table, &row.key.partition) else { return Ok(Some(row)) };
        if self.states.len() >= STATES_COUNT_MAX {
            self.states.clear();
        }
        if !self.states.contains_key(&stream) {
            let state = named_by(self.store, &stream).await?;
            self.states.insert(stream.clone(), state);
        }
        let Some(Some(state)) = self.states.get(&stream) else { return Ok(None) };
        let Some(value) = row.value.clone() else { return Ok(None) };
        if self.table == Table::SeriesStat && state.names(&row.key) {
            let stat = SeriesStatRow::decode(&value)?.at(state.head.seals).cloned().unwrap_or_default();
            let mut bytes = Vec::new();
            stat.put(&mut bytes);
            // A series of the tail alone has a row only where a seal was begun and lost.
            let counted = stat.count > 0;
            return Ok(counted.then(|| Write { value: Some(bytes.into()), ..row }));
        }
        Ok(state.names(&row.key).then_some(row))
    }
}

async fn named_by(store: &dyn ReadStore, stream: &StreamKey) -> Result<Option<Named>, Halt> {
    let state = rows(store, Table::State, &stream.to_bytes(), Range::default()).await?;
    let head = state.iter().find(|(key, _)| key.as_ref() == state::HEAD_PREFIX);
    let Some((_, value)) = head else { return Ok(None) };
    let head = RunStateRow::decode(value)?;
    let mut writers = HashMap::new();
    for (_, value) in state.iter().filter(|(key, _)| key.starts_with(state::WRITER_PREFIX)) {
        let row = WriterRow::decode(value)?;
        writers.insert(row.index, row.metrics);
    }
    Ok(Some(Named { head, writers }))
}

/// The run whose state names the rows of a partition; `None`: rows that stand for themselves.
fn stream_of(table: Table, partition: &Bytes) -> Option<StreamKey> {
    match table {
        Table::Tail
        | Table::SetDirectory
        | Table::SetBlock
        | Table::Chunk
        | Table::Metric
        | Table::WriterMetric
        | Table::Series
        | Table::SeriesStat
        | Table::RunRevision
        | Table::Object => {}
        _ => return None,
    }
    let organization = OrganizationId::from_slice(partition.get(..16)?).ok()?;
    let len = usize::from(u16::from_be_bytes(partition.get(16..18)?.try_into().ok()?));
    let run: RunId = std::str::from_utf8(partition.get(18..18 + len)?).ok()?.parse().ok()?;
    Some(StreamKey::run(organization, &run))
}

impl Named {
    fn names(&self, key: &Key) -> bool {
        self.names_checked(key).unwrap_or(false)
    }

    fn names_checked(&self, key: &Key) -> Option<bool> {
        let (head, clustering) = (&self.head, &key.clustering);
        let word = |bytes: &[u8], at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let long = || Some(u64::from_be_bytes(clustering.as_ref().try_into().ok()?));
        let tail_of = |back: usize| key.partition.len().checked_sub(back);
        let level = |level: u8| head.levels.get(usize::from(level));
        // The merge into a set of this level that is under way.
        let merge = |level: u8| level.checked_sub(1).and_then(|below| head.levels.get(usize::from(below)));
        Some(match key.table {
            Table::Tail => {
                let bucket = word(&key.partition, tail_of(4)?)?;
                bucket == head.seals && (head.sealed.0..head.applied_through.0).contains(&long()?)
            }
            Table::SetDirectory => {
                let (of, number, from) = (*clustering.first()?, word(clustering, 1)?, word(clustering, 5)?);
                let own = level(of)?;
                own.sets.contains(&number)
                    || number == own.next && merge(of).is_some_and(|merge| merge.parts > 0 && from < merge.merged)
            }
            Table::SetBlock => {
                let (of, number) = (*key.partition.get(tail_of(5)?)?, word(&key.partition, tail_of(4)?)?);
                let own = level(of)?;
                let block = word(clustering, 0)?;
                own.sets.contains(&number) || number == own.next && merge(of).is_some_and(|merge| block < merge.blocks)
            }
            Table::Chunk => {
                let (of, number) = (*clustering.first()?, word(clustering, 1)?);
                let (series, own) = (word(&key.partition, tail_of(4)?)?, level(of)?);
                number < own.next || number == own.next && merge(of).is_some_and(|merge| series < merge.merged)
            }
            Table::Metric => word(clustering, 0)? < head.metrics,
            Table::Series | Table::SeriesStat => word(clustering, 0)? < head.series,
            Table::WriterMetric => {
                let writer = word(&key.partition, tail_of(8)?)?;
                self.writers.get(&writer).is_some_and(|metrics| word(clustering, 0).is_some_and(|id| id < *metrics))
            }
            Table::RunRevision => long()? < head.applied_through.0,
            Table::Object => long()? < head.objects,
            _ => true,
        })
    }
}

#[cfg(test)]
mod tests;
