//! Control items: ends, config, summary, attributes, metrics, objects, gaps.

use std::collections::HashMap;
use std::ops::Range;

use corral_domain::limits::{CONFIG_BYTES_MAX, CONFIG_PATHS_MAX, SUMMARY_KEYS_MAX};
use corral_domain::run::{FinishState, ObjectLogged, RunAttributesChanged, RunFinished};
use corral_domain::scalar::{ConfigEntry, Scalar};
use corral_domain::{RunEntry, RunState};
use corral_read_store::layout::Row;
use corral_read_store::run::ObjectRow;
use corral_read_store::state::WriterRow;
use corral_read_store::{run, state};

use super::{At, Run};
use crate::json;

impl Run {
    pub(super) fn entry(&mut self, entry: RunEntry, kept: &[Range<usize>], writer: &mut WriterRow, at: &mut At<'_>) {
        match entry {
            RunEntry::Opened(_) | RunEntry::Points(_) => {}
            RunEntry::Finished(finished) => self.finished(finished, writer, at),
            RunEntry::ConfigChanged(entries) => self.config_changed(entries, at),
            RunEntry::SummaryChanged(entries) => self.summary_changed(entries, at),
            RunEntry::AttributesChanged(change) => self.attributes_changed(change, at),
            RunEntry::MetricRegistered(new) => self.metric_registered(new, writer, at),
            RunEntry::MetricDefined(def) => self.metric_defined(def, at),
            RunEntry::Object(object) => self.object(object, writer, at),
            RunEntry::Gap(_) => {
                let items: u64 = kept.iter().map(|range| range.len() as u64).sum();
                writer.gap_items += items;
                self.head.gap_items += items;
            }
        }
    }

    fn finished(&mut self, finished: RunFinished, writer: &mut WriterRow, at: &mut At<'_>) {
        writer.finished_seq = finished.last_seq;
        if writer.take == self.head.take {
            self.head.state = match finished.state {
                FinishState::Finished => RunState::Finished,
                FinishState::Failed => RunState::Failed,
            } as u8;
            (self.info.finished, self.info.exit_code) = (at.now, finished.exit_code);
            self.info.message = finished.message;
            self.set_info(at, "state");
        }
    }

    /// A path that is set again moves to the end.
    fn config_changed(&mut self, entries: Vec<ConfigEntry>, at: &mut At<'_>) {
        let last: HashMap<Vec<String>, usize> =
            entries.iter().enumerate().map(|(place, entry)| (entry.path.clone(), place)).collect();
        self.config.entries.retain(|(path, _)| !last.contains_key(path));
        for (place, entry) in entries.into_iter().enumerate() {
            if let Some(value) = entry.value.filter(|_| last.get(&entry.path) == Some(&place)) {
                self.config.entries.push((entry.path, json::text(&value)));
            }
        }
        let mut bytes = 0;
        let fits = self.config.entries.iter().take(CONFIG_PATHS_MAX).take_while(|(path, value)| {
            bytes += path.iter().map(String::len).sum::<usize>() + value.len();
            bytes <= CONFIG_BYTES_MAX
        });
        let fits = fits.count();
        self.config.entries.truncate(fits);
        let row = self.config.encode();
        at.put(run::config_key(self.organization, &self.id, 0), row.clone());
        self.moved.insert(state::config_key(&self.stream), Some(row));
        at.changes("config");
    }

    /// A key that is set again moves to the end.
    fn summary_changed(&mut self, entries: Vec<(String, Option<Scalar>)>, at: &mut At<'_>) {
        for (key, value) in entries {
            self.info.summary.retain(|(own, _)| *own != key);
            if let Some(value) = value.filter(|_| self.info.summary.len() < SUMMARY_KEYS_MAX) {
                self.info.summary.push((key, json::text(&value)));
            }
        }
        self.set_info(at, "summary");
    }

    fn attributes_changed(&mut self, change: RunAttributesChanged, at: &mut At<'_>) {
        if let Some(name) = change.name {
            self.info.name = name;
            self.set_info(at, "name");
        }
        if let Some(notes) = change.notes {
            self.info.notes = notes;
            self.set_info(at, "notes");
        }
        if let Some(tags) = change.tags {
            self.info.tags = tags;
            self.set_info(at, "tags");
        }
    }

    pub(super) fn set_info(&mut self, at: &mut At<'_>, field: &'static str) {
        self.moved.insert(state::info_key(&self.stream), Some(self.info.encode()));
        at.changes(field);
    }

    fn object(&mut self, object: ObjectLogged, writer: &WriterRow, at: &mut At<'_>) {
        let names = self.names.get(writer.index as usize);
        let Some(metric) = names.and_then(|names| names.metrics.get(object.metric as usize).copied()) else { return };
        let row = ObjectRow {
            append_time: at.now,
            take: writer.take,
            label: writer.label.clone(),
            metric,
            step: object.step,
            time_us: object.time_us,
            media_type: object.media_type,
            body: object.body,
        };
        at.put(run::object_key(self.organization, &self.id, self.head.objects), row.encode());
        self.head.objects += 1;
    }
}
