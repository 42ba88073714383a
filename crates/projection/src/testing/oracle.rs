//! What must come out: plain sequential deduplication over the log, in code of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::{Item, Logged};

/// Values of (take, metric, label), in log order.
pub(crate) type Series = BTreeMap<(u32, String, String), Vec<u64>>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Writer {
    pub(crate) hw: u64,
    pub(crate) open: BTreeSet<u64>,
    pub(crate) take: u32,
    label: String,
    metrics: BTreeSet<u32>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    pub(crate) take: u32,
    launches: Vec<String>,
    pub(crate) writers: BTreeMap<u8, Writer>,
    pub(crate) series: Series,
    pub(crate) gaps: u64,
    pub(crate) objects: u64,
}

/// The run after the first records of the log; `None` stands for a hole, or for another stream's record.
pub(crate) fn expect(run: u8, log: &[Option<Logged>], holes: &[u64]) -> Expected {
    let mut all = Expected::default();
    for (offset, record) in log.iter().enumerate() {
        let Some(record) = record.as_ref().filter(|record| record.run == run) else { continue };
        let behind = holes.iter().any(|hole| *hole < offset as u64);
        all.take_in(record, behind);
    }
    all
}

impl Expected {
    fn take_in(&mut self, record: &Logged, behind_a_hole: bool) {
        let mut writer = self.writers.get(&record.writer).cloned().unwrap_or_default();
        let jump = record.first > writer.hw + 1;
        let seqs = record.first..=record.last();
        let fresh: Vec<u64> = seqs.filter(|seq| *seq > writer.hw || writer.open.contains(seq)).collect();
        if fresh.is_empty() || (jump && !behind_a_hole) {
            return;
        }
        writer.open.extend(writer.hw + 1..record.first);
        if refused(&writer, record) {
            // A dead letter. Behind a hole its items stay open: they come again with what they lack.
            writer.open.retain(|seq| !fresh.contains(seq));
            if !writer.open.is_empty() {
                writer.open.extend(fresh);
            }
            writer.hw = writer.hw.max(record.last());
            self.writers.insert(record.writer, writer);
            return;
        }
        for seq in fresh {
            writer.open.remove(&seq);
            let item = &record.items[(seq - record.first) as usize];
            match item {
                Item::Opened { launch, label, .. } => {
                    if !self.launches.contains(launch) {
                        self.take += 1;
                        self.launches = vec![launch.clone()];
                    }
                    (writer.take, writer.label) = (self.take, label.clone());
                }
                Item::Points(values) => {
                    for (metric, value) in values {
                        let key = (writer.take, format!("m{metric}"), writer.label.clone());
                        self.series.entry(key).or_default().push(value.to_bits());
                    }
                }
                Item::Gap => self.gaps += 1,
                Item::Object => self.objects += 1,
                Item::Register(id) => writer.metrics.extend([*id]),
                Item::Config(_) | Item::Finished => {}
            }
        }
        writer.hw = writer.hw.max(record.last());
        self.writers.insert(record.writer, writer);
    }
}

/// Whether a record cannot be understood for want of what its writer jumped over.
fn refused(writer: &Writer, record: &Logged) -> bool {
    let mut known = writer.metrics.clone();
    let opens = matches!(record.items[..], [Item::Opened { .. }]);
    let lacks = record.items.iter().any(|item| match item {
        Item::Register(id) => {
            known.insert(*id);
            false
        }
        Item::Points(values) => values.iter().any(|(metric, _)| !known.contains(metric)),
        Item::Object => !known.contains(&0),
        _ => false,
    });
    lacks || writer.take == 0 && !opens
}
