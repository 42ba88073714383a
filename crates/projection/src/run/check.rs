//! What is wrong with a record's items, before any of them is applied.

use std::collections::HashSet;

use corral_domain::{RunEntry, WriterRange};
use corral_read_store::state::WriterRow;

use super::{NONE, Run};
use crate::limits::Limits;

impl Run {
    /// `writer` is as the stage has moved it.
    pub(super) fn check(
        &self,
        entries: &[RunEntry],
        writer: &WriterRow,
        range: WriterRange,
        limits: &Limits,
    ) -> Result<(), String> {
        // Both bounds are at least 1 and in order, so this cannot overflow.
        if corral_event_codec::item_count(entries) != range.last - range.first + 1 {
            return Err("items: their count is not that of the range".to_owned());
        }
        let opens = matches!(entries, [RunEntry::Opened(_)]) && range.first == 1;
        if writer.index == NONE && !opens {
            return Err("the writer was never opened".to_owned());
        }
        if writer.index != NONE && writer.take.0 == 0 {
            return Ok(());
        }
        self.check_entries(entries, writer, opens, limits)
    }

    fn check_entries(
        &self,
        entries: &[RunEntry],
        writer: &WriterRow,
        opens: bool,
        limits: &Limits,
    ) -> Result<(), String> {
        let known: &[u32] = self.names.get(writer.index as usize).map_or(&[], |names| &names.metrics);
        let (mut next, mut fresh) = (known.len() as u64, HashSet::new());
        let (mut new, mut columns) = (0_u32, 0_u64);
        let unknown = |id: u32, fresh: &HashSet<u32>| {
            known.get(id as usize).is_none_or(|metric| *metric == NONE) && !fresh.contains(&id)
        };
        for entry in entries {
            match entry {
                RunEntry::Opened(opened) if !opens || opened.project.is_none() => {
                    return Err("opened: must be item 1, alone, with its project".to_owned());
                }
                // Where a writer jumped over a hole of the log, registrations may be missing; they come later or never.
                RunEntry::MetricRegistered(metric) if u64::from(metric.id) > next && writer.open_ranges.is_empty() => {
                    return Err(format!("metric_id: {} does not follow {next}", metric.id));
                }
                RunEntry::MetricRegistered(metric) => {
                    next = next.max(u64::from(metric.id) + 1);
                    fresh.insert(metric.id);
                    new += u32::from(!self.metric_of.contains_key(&metric.name));
                }
                RunEntry::Points(group) => {
                    columns += group.columns.len() as u64;
                    if group.columns.iter().any(|column| unknown(column.metric, &fresh)) {
                        return Err("points: a metric id was not registered".to_owned());
                    }
                }
                RunEntry::Object(object) if unknown(object.metric, &fresh) => {
                    return Err("object: its metric id was not registered".to_owned());
                }
                _ => {}
            }
        }
        if self.head.metrics.saturating_add(new) > limits.run_metrics_max {
            return Err(format!("metrics: a run has at most {}", limits.run_metrics_max));
        }
        if u64::from(self.head.series) + columns > u64::from(limits.run_series_max) {
            return Err(format!("series: a run has at most {}", limits.run_series_max));
        }
        Ok(())
    }
}
