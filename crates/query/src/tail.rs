//! The tail: a run's recent records, whole; a read looks into every one of them (65,536 points at most).

use std::collections::HashMap;
use std::ops::Range;

use corral_domain::{Column, Micros, Offset, OrganizationId, RunEntry, RunId, StepGroup, Take};
use corral_read_store::layout::KeyBytes;
use corral_read_store::piece::Points;
use corral_read_store::state::RunStateRow;
use corral_read_store::tail::{self, TailRow, kept};
use corral_read_store::{Row, Table};

use crate::QueryError;
use crate::dictionary::RunDictionary;
use crate::engine::Inner;

/// Rows of one column of one record.
pub(crate) struct TailColumn<'a> {
    pub(crate) series: u32,
    pub(crate) group: &'a StepGroup,
    pub(crate) column: &'a Column,
    pub(crate) rows: Range<usize>,
    pub(crate) appended: Micros,
}

impl Inner {
    /// The tail rows of a bucket with offsets in `[from, to)`.
    pub(crate) async fn tail_rows(
        &self,
        organization: OrganizationId,
        run: &RunId,
        bucket: u32,
        (from, to): (Offset, Offset),
    ) -> Result<Vec<TailRow>, QueryError> {
        let key = |offset: Offset| KeyBytes::new().u64(offset.0).build();
        let range = corral_read_store::Range::between(key(from), key(to), 0);
        let rows = self.scan_all(Table::Tail, &tail::partition(organization, run, bucket), range).await?;
        rows.iter().map(|(_, value)| Ok(TailRow::decode(value)?)).collect()
    }
}

/// A run's tail in columns, as one state counts it. Kept with the run's dictionaries, it grows with the state: a record
/// is decoded once, however many charts look at it.
#[derive(Default)]
pub(crate) struct TailColumns {
    /// The tail rows of this bucket with offsets in `[sealed, through)`.
    bucket: u32,
    sealed: Offset,
    through: Offset,
    series: HashMap<u32, Points>,
    points: usize,
}

impl TailColumns {
    /// A series' points in log order.
    pub(crate) fn of(&self, series: u32) -> Option<&Points> {
        self.series.get(&series)
    }
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&u32, &Points)> {
        self.series.iter()
    }
    /// In units of about 100 bytes: 32 a point, and four lists a series.
    pub(crate) fn weight(&self) -> usize {
        self.points / 3 + self.series.len() * 3
    }
}

impl RunDictionary<'_> {
    /// Brings the tail to what `state` counts; [`crate::dictionary::Dictionary::tail`] has it then.
    pub(crate) async fn load_tail(&mut self, state: &RunStateRow) -> Result<(), QueryError> {
        let known = self.tail();
        let grows = known.bucket == state.seals
            && known.sealed == state.sealed
            && (state.sealed..=state.applied_through).contains(&known.through);
        let from = if grows { known.through } else { state.sealed };
        if grows && from == state.applied_through {
            return Ok(());
        }
        let rows = self.tail_rows(state.seals, (from, state.applied_through)).await?;
        let mut more: HashMap<u32, Points> = HashMap::new();
        visit_tail(self, &rows, &mut |found: TailColumn<'_>| {
            let points = more.entry(found.series).or_default();
            points.extend_group(found.group, found.column, found.rows, found.appended);
        })
        .await?;
        // No await from here on: a read that is dropped leaves the tail as it was.
        let tail = self.tail_mut();
        if !grows {
            *tail = TailColumns::default();
        }
        (tail.bucket, tail.sealed, tail.through) = (state.seals, state.sealed, state.applied_through);
        for (series, points) in more {
            tail.points += points.len();
            tail.series.entry(series).or_default().extend(&points, 0..points.len());
        }
        Ok(())
    }
}

/// What a writer's ids mean within one take: resolved once a read.
#[derive(Default)]
struct Ids(HashMap<(u32, Take), Vec<Option<Option<u32>>>>);

/// Shows every column of the rows, in log order, to `visit`; series beyond what the dictionary counts are left out.
pub(crate) async fn visit_tail(
    dictionary: &mut RunDictionary<'_>,
    rows: &[TailRow],
    visit: &mut (dyn FnMut(TailColumn<'_>) + Send),
) -> Result<(), QueryError> {
    let mut ids = Ids::default();
    for row in rows {
        let entries = corral_event_codec::decode_run_items(&row.payload)
            .map_err(|error| QueryError::Damaged(format!("a tail row does not decode: {error}")))?;
        let mut seq = row.first;
        for entry in &entries {
            let items = entry.items();
            if let RunEntry::Points(group) = entry {
                for rows in kept(&row.keep, seq, items) {
                    visit_group(dictionary, row, (group, rows), &mut ids, visit).await?;
                }
            }
            seq = seq.saturating_add(items);
        }
    }
    Ok(())
}

async fn visit_group(
    dictionary: &mut RunDictionary<'_>,
    row: &TailRow,
    (group, rows): (&StepGroup, Range<usize>),
    ids: &mut Ids,
    visit: &mut (dyn FnMut(TailColumn<'_>) + Send),
) -> Result<(), QueryError> {
    let known = ids.0.entry((row.writer, row.take)).or_default();
    for column in &group.columns {
        let id = column.metric as usize;
        if known.len() <= id {
            known.resize(id + 1, None);
        }
        let series = match known[id] {
            Some(series) => series,
            None => {
                dictionary.load_writer(row.writer, column.metric).await?;
                let metric = dictionary.writer_metric(row.writer, column.metric);
                let series = metric.and_then(|metric| dictionary.series_at(row.take, metric, &row.label));
                known[id] = Some(series);
                series
            }
        };
        if let Some(series) = series {
            visit(TailColumn { series, group, column, rows: rows.clone(), appended: row.append_time });
        }
    }
    Ok(())
}
