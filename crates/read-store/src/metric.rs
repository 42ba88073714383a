//! A run's metric dictionary, its writers' own ids, and the definitions.

use std::collections::BTreeMap;

use bytes::Bytes;
use corral_domain::metric::{Goal, SummaryRule};
use corral_domain::{OrganizationId, RunId};

use crate::layout::KeyBytes;
use crate::{Key, Table, row};

/// Rows of one partition of the dictionaries.
pub const DICTIONARY_ROWS: u32 = 4_096;

/// The partition of a run's dictionary rows around `index` (metrics, series, series' aggregates).
pub fn dictionary_partition(organization: OrganizationId, run: &RunId, index: u32) -> Bytes {
    KeyBytes::new().raw(organization.as_bytes()).text(run.as_str()).u32(index / DICTIONARY_ROWS).build()
}
pub fn key(organization: OrganizationId, run: &RunId, index: u32) -> Key {
    let partition = dictionary_partition(organization, run, index);
    Key { table: Table::Metric, partition, clustering: KeyBytes::new().u32(index).build() }
}
pub fn writer_partition(organization: OrganizationId, run: &RunId, writer: u32, id: u32) -> Bytes {
    KeyBytes::new().raw(organization.as_bytes()).text(run.as_str()).u32(writer).u32(id / DICTIONARY_ROWS).build()
}
pub fn writer_key(organization: OrganizationId, run: &RunId, writer: u32, id: u32) -> Key {
    let partition = writer_partition(organization, run, writer, id);
    Key { table: Table::WriterMetric, partition, clustering: KeyBytes::new().u32(id).build() }
}
pub fn def_key(organization: OrganizationId, run: &RunId, name: &str) -> Key {
    let partition = KeyBytes::new().raw(organization.as_bytes()).text(run.as_str()).build();
    Key { table: Table::MetricDef, partition, clustering: KeyBytes::new().raw(name.as_bytes()).build() }
}

row! {
    pub struct MetricRow = 1 {
        name: String,
    }
}
/// Instead of a metric: this id of a writer has no place in the run and gets none. The run had as many metrics as it may
/// have, or a gap stands where the id was to be registered.
pub const NO_PLACE: u32 = u32::MAX - 1;

row! {
    pub struct WriterMetricRow = 1 {
        /// Index in the run's dictionary, or [`NO_PLACE`].
        metric: u32,
    }
}
row! {
    pub struct MetricDefRow = 1 {
        step_metric: String,
        /// `Goal` and `SummaryRule` as numbers.
        goal: u8,
        summary: u8,
    }
}

impl MetricDefRow {
    pub fn goal(&self) -> Goal {
        match self.goal {
            1 => Goal::Minimize,
            2 => Goal::Maximize,
            _ => Goal::Unspecified,
        }
    }
    pub fn rule(&self) -> SummaryRule {
        match self.summary {
            1 => SummaryRule::Min,
            2 => SummaryRule::Max,
            3 => SummaryRule::Mean,
            4 => SummaryRule::Best,
            5 => SummaryRule::None,
            _ => SummaryRule::Last,
        }
    }
}

/// The definition that holds for a metric: the one of its own name, else the one with the longest `prefix*` that fits.
/// `defs` are a run's definitions by name; of one name the last definition is the row.
pub fn definition<'a>(defs: &'a BTreeMap<String, MetricDefRow>, name: &str) -> Option<&'a MetricDefRow> {
    if defs.is_empty() {
        return None;
    }
    if let Some(own) = defs.get(name) {
        return Some(own);
    }
    let ends = (0..=name.len()).rev().filter(|end| name.is_char_boundary(*end));
    ends.map(|end| format!("{}*", &name[..end])).find_map(|glob| defs.get(&glob))
}
