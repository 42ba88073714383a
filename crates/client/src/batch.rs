//! What one read of the spool gave, as the bytes of `RunItems`: rows of one set of metrics become columns.

use bytes::Bytes;
use corral_domain::run::{GapAccepted, GapReason};
use corral_domain::{Column, RunEntry, StepGroup};
use corral_event_codec::{decode_run_items, encode_run_items};
use corral_spool::{Chunk, Item, ItemKind};

use crate::item;
use crate::row::{RowRef, Step, columns_of};

/// A batch is closed above this estimate of its encoding; one item may go beyond.
pub const BATCH_BYTES: usize = 256 * 1024;

/// A part of a chunk, ready to be sent.
#[derive(Debug, Default)]
pub struct Batch {
    pub first: u64,
    pub last: u64,
    pub items: Vec<u8>,
}

/// How a batch is cut.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// What the run's opening said: the step of an item that was logged without one counts from here.
    pub next_step: i64,
    /// One entry a batch: used to find the item that a door refuses.
    pub single: bool,
}

/// Makes a batch of the chunk's items from `at` on; answers how many it took. `None`: nothing is left.
pub fn build(chunk: &Chunk, at: usize, cut: Cut) -> Option<(Batch, usize)> {
    let items = chunk.items.get(at..).filter(|items| !items.is_empty())?;
    let mut batch = Batch { first: items[0].seq, ..Batch::default() };
    let mut taken = 0;
    while taken < items.len() {
        let opening = items[taken].seq == 1;
        if taken > 0 && (cut.single || opening || batch.items.len() >= BATCH_BYTES) {
            break;
        }
        let room = if cut.single { 0 } else { BATCH_BYTES - batch.items.len() };
        let count = match rows_alike(chunk, &items[taken..], room) {
            0 => {
                other(chunk, &items[taken], cut.next_step, &mut batch.items);
                1
            }
            count => {
                group(chunk, &items[taken..taken + count], cut.next_step, &mut batch.items);
                count
            }
        };
        taken += count;
        batch.last = items[taken - 1].last;
        if opening {
            break;
        }
    }
    Some((batch, taken))
}

fn row<'a>(chunk: &'a Chunk, item: &Item) -> Option<RowRef<'a>> {
    (item.kind == ItemKind::Client(item::ROW)).then(|| RowRef::decode(chunk.payload(item))).flatten()
}

/// How many items at the beginning are rows of one set of metrics, within about `room` bytes; 0: the first is no row.
fn rows_alike(chunk: &Chunk, items: &[Item], room: usize) -> usize {
    let Some(first) = row(chunk, &items[0]).filter(|row| columns_of(row.heads, row.values.len()).is_some()) else {
        return 0;
    };
    let (mut bytes, each) = (first.heads.len() * 16, 16 + first.values.len());
    let alike = items.iter().take_while(|item| {
        bytes += each;
        row(chunk, item).is_some_and(|row| row.heads == first.heads && row.values.len() == first.values.len())
            && bytes <= room
    });
    alike.count().max(1)
}

fn group(chunk: &Chunk, items: &[Item], next_step: i64, out: &mut Vec<u8>) {
    let rows: Vec<RowRef<'_>> = items.iter().filter_map(|item| row(chunk, item)).collect();
    let Some(columns) = columns_of(rows[0].heads, rows[0].values.len()) else { return };
    let steps: Vec<u8> = rows.iter().flat_map(|row| absolute(row.step, next_step).to_le_bytes()).collect();
    let times: Vec<u8> = rows.iter().flat_map(|row| row.time_us.to_le_bytes()).collect();
    let mut at = 0;
    let mut made = Vec::with_capacity(columns.len());
    for (metric, kind) in columns {
        let width = kind.width();
        let mut values = Vec::with_capacity(rows.len() * width);
        for row in &rows {
            values.extend_from_slice(&row.values[at..at + width]);
        }
        at += width;
        made.push(Column { metric, kind, values: values.into() });
    }
    let group = StepGroup { rows: rows.len() as u32, steps: steps.into(), times: times.into(), columns: made };
    out.extend_from_slice(&encode_run_items(&[RunEntry::Points(group)]));
}

fn absolute(step: Step, next_step: i64) -> i64 {
    match step {
        Step::At(step) => step,
        Step::Auto(step) => step.saturating_add(next_step),
    }
}

fn other(chunk: &Chunk, item: &Item, next_step: i64, out: &mut Vec<u8>) {
    let payload = chunk.payload(item);
    let gap = |why, detail: &str| {
        let gap = GapAccepted { from: item.seq, to: item.last, why, detail: detail.to_owned() };
        encode_run_items(&[RunEntry::Gap(gap)])
    };
    let bytes = match item.kind {
        // An entry is stored as `RunItems` of one: joined, they are `RunItems` of all.
        ItemKind::Client(item::ENTRY) => return out.extend_from_slice(payload),
        ItemKind::Client(item::OBJECT_AUTO) => shifted(payload, next_step),
        ItemKind::Client(_) => None,
        ItemKind::Dropped => Some(gap(GapReason::SpoolFull, "")),
        ItemKind::Damaged => Some(gap(GapReason::Damaged, "")),
        ItemKind::Replaced => Some(gap(GapReason::Refused, &String::from_utf8_lossy(payload))),
    };
    out.extend_from_slice(&bytes.unwrap_or_else(|| gap(GapReason::Damaged, "of an unknown kind")));
}

/// An object that was logged without a step gets it now.
fn shifted(payload: &[u8], next_step: i64) -> Option<Bytes> {
    let mut entries = decode_run_items(&Bytes::copy_from_slice(payload)).ok()?;
    for entry in &mut entries {
        if let RunEntry::Object(object) = entry {
            object.step = object.step.saturating_add(next_step);
        }
    }
    Some(encode_run_items(&entries))
}

#[cfg(test)]
mod tests;
