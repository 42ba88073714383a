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
            RunEntry::ConfigChanged(entries) => self.config_changed(entries, writer, at),
            RunEntry::SummaryChanged(entries) => self.summary_changed(entries, writer, at),
            RunEntry::AttributesChanged(change) => self.attributes_changed(change, at),
            RunEntry::MetricRegistered(new) => self.metric_registered(new, writer, at),
            RunEntry::MetricDefined(def) => self.metric_defined(def, at),
            RunEntry::Object(object) => self.object(object, writer, at),
            RunEntry::Gap(_) => {
                self.lose(kept.iter().map(|range| range.len() as u64).sum(), writer);
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

    /// A path that is set again keeps its place. What does not fit is left out, and what was there stays.
    fn config_changed(&mut self, entries: Vec<ConfigEntry>, writer: &mut WriterRow, at: &mut At<'_>) {
        let mut config: Vec<Option<(Vec<String>, String)>> =
            std::mem::take(&mut self.config.entries).into_iter().map(Some).collect();
        let mut place_of: HashMap<Vec<String>, usize> =
            config.iter().flatten().zip(0..).map(|((path, _), place)| (path.clone(), place)).collect();
        let size = |path: &[String], value: &str| path.iter().map(String::len).sum::<usize>() + value.len();
        let mut bytes: usize = config.iter().flatten().map(|(path, value)| size(path, value)).sum();
        let mut whole = true;
        for ConfigEntry { path, value } in entries {
            let place = place_of.get(&path).copied();
            let old = place.and_then(|place| config[place].as_ref()).map_or(0, |(path, value)| size(path, value));
            let Some(value) = value.map(|value| json::text(&value)) else {
                if let Some(place) = place_of.remove(&path) {
                    config[place] = None;
                }
                bytes -= old;
                continue;
            };
            let now = bytes - old + size(&path, &value);
            if now > CONFIG_BYTES_MAX || (place.is_none() && place_of.len() >= CONFIG_PATHS_MAX) {
                whole = false;
                continue;
            }
            bytes = now;
            match place {
                Some(place) => config[place] = Some((path, value)),
                None => {
                    place_of.insert(path.clone(), config.len());
                    config.push(Some((path, value)));
                }
            }
        }
        self.config.entries = config.into_iter().flatten().collect();
        self.lose(u64::from(!whole), writer);
        let row = self.config.encode();
        at.put(run::config_key(self.organization, &self.id, 0), row.clone());
        self.moved.insert(state::config_key(&self.stream), Some(row));
        at.changes("config");
    }

    /// A key that is set again keeps its place.
    fn summary_changed(&mut self, entries: Vec<(String, Option<Scalar>)>, writer: &mut WriterRow, at: &mut At<'_>) {
        let mut whole = true;
        for (key, value) in entries {
            let summary = &mut self.info.summary;
            let place = summary.iter().position(|(own, _)| *own == key);
            match (place, value.map(|value| json::text(&value))) {
                (Some(place), Some(value)) => summary[place].1 = value,
                (Some(place), None) => drop(summary.remove(place)),
                (None, Some(value)) if summary.len() < SUMMARY_KEYS_MAX => summary.push((key, value)),
                (None, Some(_)) => whole = false,
                (None, None) => {}
            }
        }
        self.lose(u64::from(!whole), writer);
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

    fn object(&mut self, object: ObjectLogged, writer: &mut WriterRow, at: &mut At<'_>) {
        let Some(metric) = self.placed(writer.index, object.metric) else { return self.lose(1, writer) };
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
