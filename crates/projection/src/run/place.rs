//! What finds no place in its run: left out, each item counted where people see it, while the rest of its record applies.
//!
//! A client knows the metrics of its writer; the bounds are of the run, over all writers, takes and labels. So an item that
//! a door has acknowledged may still find the run full, or name a metric whose registration became a gap.

use std::collections::HashSet;

use bytes::Bytes;
use corral_domain::run::{GapAccepted, GapReason};
use corral_domain::{RunEntry, StepGroup, Take};
use corral_read_store::metric::NO_PLACE;
use corral_read_store::state::WriterRow;

use super::{NONE, Run, points};
use crate::limits::Limits;
use crate::policy::Refused;

impl Run {
    /// Counts items that are missing or not whole.
    pub(crate) fn lose(&mut self, items: u64, writer: &mut WriterRow) {
        writer.gap_items += items;
        self.head.gap_items += items;
    }

    /// The run's metric of a writer's id, if it has a place.
    pub(crate) fn placed(&self, writer: u32, id: u32) -> Option<u32> {
        let metric = self.names.get(writer as usize)?.metrics.get(id as usize).copied();
        metric.filter(|metric| !matches!(*metric, NONE | NO_PLACE))
    }

    /// Takes columns without a place out of the groups and out of the payload that the tail keeps.
    pub(super) fn fit(
        &mut self,
        groups: &mut Vec<points::Kept>,
        payload: Bytes,
        writer: &mut WriterRow,
        limits: &Limits,
    ) -> Result<Bytes, Refused> {
        let without = self.without_place(groups, writer, limits);
        if without.is_empty() {
            return Ok(payload);
        }
        let mut items = 0;
        for (group, kept) in groups.iter_mut() {
            if leave_out(group, &without) {
                items += kept.iter().map(|range| range.len() as u64).sum::<u64>();
            }
        }
        groups.retain(|(group, _)| !group.columns.is_empty());
        self.lose(items, writer);
        let mut entries =
            corral_event_codec::decode_run_items(&payload).map_err(|e| Refused::unreadable(e.to_string()))?;
        for entry in &mut entries {
            let RunEntry::Points(group) = entry else { continue };
            if leave_out(group, &without) && group.columns.is_empty() {
                // A group has columns: what counts as its items must be something else.
                let (to, why) = (u64::from(group.rows), GapReason::Refused);
                *entry = RunEntry::Gap(GapAccepted { from: 1, to, why, detail: String::new() });
            }
        }
        Ok(corral_event_codec::encode_run_items(&entries))
    }

    /// Ids of the groups whose points cannot be kept. A series that is known has its place for ever.
    fn without_place(&self, groups: &[points::Kept], writer: &WriterRow, limits: &Limits) -> HashSet<u32> {
        let (mut without, mut new) = (HashSet::new(), HashSet::new());
        let Some(names) = self.names.get(writer.index as usize) else { return without };
        let slots: &[u32] = if names.series.0 == writer.take { &names.series.1 } else { &[] };
        for column in groups.iter().flat_map(|(group, _)| &group.columns) {
            let id = column.metric;
            if slots.get(id as usize).is_some_and(|series| *series != NONE) {
                continue;
            }
            let Some(metric) = self.placed(writer.index, id) else {
                without.insert(id);
                continue;
            };
            let key: (Take, u32, String) = (writer.take, metric, names.label.clone());
            if self.series_of.contains_key(&key) || new.contains(&metric) {
                continue;
            }
            if self.head.series as usize + new.len() < limits.run_series_max as usize {
                new.insert(metric);
            } else {
                without.insert(id);
            }
        }
        without
    }
}

/// Whether the group had one of the columns.
fn leave_out(group: &mut StepGroup, without: &HashSet<u32>) -> bool {
    let before = group.columns.len();
    group.columns.retain(|column| !without.contains(&column.metric));
    group.columns.len() < before
}
