//! The run as lists show it, and its revisions.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use corral_domain::limits::{HEAD_CONFIG_BYTES_MAX, HEAD_CONFIG_COUNT_MAX, HEAD_SUMMARY_KEYS_MAX};
use corral_read_store::layout::Row;
use corral_read_store::metric::definition;
use corral_read_store::run::{self, RunHeadRow, RunRevisionRow, SummaryValue};
use corral_read_store::series::SeriesStat;

use super::{At, Run};

/// The metrics of the living take.
#[derive(Default)]
pub(crate) struct Shown {
    metrics: HashSet<u32>,
    /// The first of them by their first point, as far as the head shows them: the series of each.
    first: BTreeMap<u32, Vec<u32>>,
}

impl Shown {
    pub(super) fn add(&mut self, metric: u32, series: u32) {
        self.metrics.insert(metric);
        if self.first.len() < HEAD_SUMMARY_KEYS_MAX || self.first.contains_key(&metric) {
            self.first.entry(metric).or_default().push(series);
        }
    }
}

impl Run {
    pub(super) fn revision(&self, at: &mut At<'_>) {
        let row = RunRevisionRow {
            append_time: at.now,
            actor: at.actor.to_owned(),
            changed: at.changed.iter().map(|field| (*field).to_owned()).collect(),
            head: RunHeadRow { last_append: at.now, ..self.head_row() }.encode(),
            config: if at.changed.contains(&"config") { self.config.encode() } else { Bytes::new() },
        };
        at.put(run::revision_key(self.organization, &self.id, at.offset), row.encode());
    }

    pub(crate) fn head_row(&self) -> RunHeadRow {
        let (head, info) = (&self.head, &self.info);
        let leaf = |(path, value): &(Vec<String>, String)| (path.join("."), value.clone());
        let config = self.config.entries.iter().filter(|(_, value)| value.len() <= HEAD_CONFIG_BYTES_MAX);
        RunHeadRow {
            project: head.project.unwrap_or_default(),
            name: info.name.clone(),
            notes: info.notes.clone(),
            tags: info.tags.clone(),
            group: info.group.clone(),
            job_type: info.job_type.clone(),
            actor: info.actor.clone(),
            created: info.created,
            last_append: head.append_time,
            first_point_us: head.first_point_us,
            last_point_us: head.last_point_us,
            finished: info.finished,
            state: head.state,
            exit_code: info.exit_code,
            message: info.message.clone(),
            take: head.take,
            max_step: head.max_step,
            points: head.points,
            metrics: self.shown.metrics.len() as u32,
            gap_items: head.gap_items,
            summary: self.summary(),
            config: config.take(HEAD_CONFIG_COUNT_MAX).map(leaf).collect(),
        }
    }

    fn summary(&self) -> Vec<(String, SummaryValue)> {
        let hand =
            |(key, text): &(String, String)| (key.clone(), SummaryValue { kind: 0, bits: 0, text: text.clone() });
        let mut summary: Vec<_> = self.info.summary.iter().take(HEAD_SUMMARY_KEYS_MAX).map(hand).collect();
        for (metric, series) in &self.shown.first {
            if summary.len() >= HEAD_SUMMARY_KEYS_MAX {
                break;
            }
            let Some(name) = self.metrics.get(*metric as usize) else { continue };
            if self.info.summary.iter().any(|(key, _)| key == name) {
                continue;
            }
            let mut stat = SeriesStat::default();
            series.iter().filter_map(|at| self.stats.get(*at as usize)).for_each(|own| stat.merge(own));
            let own = definition(&self.defs, name);
            let (rule, goal) = own.map_or_else(Default::default, |def| (def.rule(), def.goal()));
            if let Some(value) = stat.figure(rule, goal) {
                let value =
                    SummaryValue { kind: value.column_type() as u8, bits: value.to_bits(), text: String::new() };
                summary.push((name.clone(), value));
            }
        }
        summary
    }
}
