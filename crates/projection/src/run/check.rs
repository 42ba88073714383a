//! What is wrong with a whole record, before anything of it is applied: no door appends such a one, or it cannot be
//! understood before what its writer jumped over has come. What merely finds no place in its run is left out item by item
//! (`place.rs`): it was acknowledged, and the rest of its record must not go with it.

use std::collections::HashSet;

use corral_domain::{RunEntry, WriterRange};
use corral_read_store::state::WriterRow;

use super::{NONE, Run};

impl Run {
    /// `writer` is as the stage has moved it.
    pub(super) fn check(&self, entries: &[RunEntry], writer: &WriterRow, range: WriterRange) -> Result<(), String> {
        // Both bounds are at least 1 and in order, so this cannot overflow.
        if corral_event_codec::item_count(entries) != range.last - range.first + 1 {
            return Err("items: their count is not that of the range".to_owned());
        }
        let opens = matches!(entries, [RunEntry::Opened(_)]) && range.first == 1;
        // The door refused its opening and put a gap there, so it has no take that its items could go to.
        if writer.index == NONE && !opens {
            return Err("the writer was never opened".to_owned());
        }
        if writer.index != NONE && writer.take.0 == 0 {
            return Ok(());
        }
        let wrong = |entry: &RunEntry| match entry {
            RunEntry::Opened(opened) => !opens || opened.project.is_none(),
            _ => false,
        };
        if entries.iter().any(wrong) {
            return Err("opened: must be item 1, alone, with its project".to_owned());
        }
        if writer.open_ranges.is_empty() { Ok(()) } else { self.check_ids(entries, writer) }
    }

    /// Behind a hole of the log registrations may be missing; they come later or never.
    fn check_ids(&self, entries: &[RunEntry], writer: &WriterRow) -> Result<(), String> {
        let known: &[u32] = self.names.get(writer.index as usize).map_or(&[], |names| &names.metrics);
        let mut fresh = HashSet::new();
        let unknown = |id: u32, fresh: &HashSet<u32>| {
            known.get(id as usize).is_none_or(|metric| *metric == NONE) && !fresh.contains(&id)
        };
        for entry in entries {
            match entry {
                RunEntry::MetricRegistered(metric) => {
                    fresh.insert(metric.id);
                }
                RunEntry::Points(group) if group.columns.iter().any(|column| unknown(column.metric, &fresh)) => {
                    return Err("points: a metric id was not registered".to_owned());
                }
                RunEntry::Object(object) if unknown(object.metric, &fresh) => {
                    return Err("object: its metric id was not registered".to_owned());
                }
                _ => {}
            }
        }
        Ok(())
    }
}
