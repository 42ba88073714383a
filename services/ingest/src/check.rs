//! Whether a batch has the right shape and is within bounds: all that a door may judge.

use bytes::Bytes;
use corral_domain::limits::{BATCH_BYTES_MAX, ITEM_BYTES_MAX, TRACE_BYTES_MAX};
use corral_domain::run::RunOpened;
use corral_domain::{RunEntry, StepGroup};
use corral_event_codec::{RawItems, encode_run_items, item_count};
use corral_wire::ApiError;
use corral_wire::codec::refuse_unknown;

use crate::canonical::make_canonical;
use crate::frame::Batch;

/// A batch that may be appended.
#[derive(Debug)]
pub struct Checked {
    /// The client's bytes, unless a NaN had to be made canonical.
    pub payload: Bytes,
    /// Present if this is item 1; it still needs its project.
    pub opened: Option<Box<RunOpened>>,
    pub items: u64,
}

/// The first thing that is wrong is the answer; it names the field and, where one is to blame, the item.
pub fn check(batch: &Batch) -> Result<Checked, ApiError> {
    if batch.first == 0 || batch.last < batch.first || batch.last == u64::MAX {
        let why = format!("[{}, {}] is not a range from 1 to 2^64-2", batch.first, batch.last);
        return Err(ApiError::invalid("first_seq", why));
    }
    if batch.items.len() > BATCH_BYTES_MAX {
        return Err(ApiError::too_large("items", batch.items.len(), BATCH_BYTES_MAX));
    }
    if batch.trace.traceparent.len() > TRACE_BYTES_MAX || batch.trace.tracestate.len() > TRACE_BYTES_MAX {
        return Err(ApiError::invalid("trace", format!("must be at most {TRACE_BYTES_MAX} bytes a part")));
    }
    let raw = RawItems::decode(&batch.items)?;
    if !raw.are_all_of(&batch.items) {
        // The log would keep a field that no projection of this build knows.
        refuse_unknown("corral.v1.RunItems", &batch.items)?;
    }
    let mut entries = raw.check()?;
    let items = item_count(&entries);
    if items == 0 {
        return Err(ApiError::invalid("items", "is empty"));
    }
    if items != batch.last - batch.first + 1 {
        let why = format!("[{}, {}] does not count its {items} items", batch.first, batch.last);
        return Err(ApiError::invalid("last_seq", why));
    }
    each_entry(batch.first, &entries)?;
    let opened = opening(batch, &mut entries)?;
    let payload = match make_canonical(&mut entries) {
        true => encode_run_items(&entries),
        false => batch.items.clone(),
    };
    Ok(Checked { payload, opened, items })
}

fn each_entry(first: u64, entries: &[RunEntry]) -> Result<(), ApiError> {
    let mut seq = first;
    for entry in entries {
        let at = |error: ApiError| ApiError { item_index: Some(seq - first), ..error };
        match entry {
            RunEntry::Gap(gap) if gap.from != seq => {
                return Err(at(ApiError::invalid("gap.from_seq", format!("is {}, its item is {seq}", gap.from))));
            }
            RunEntry::Finished(finished) if finished.last_seq != seq => {
                let why = format!("is {}, its item is {seq}", finished.last_seq);
                return Err(at(ApiError::invalid("finished.last_seq", why)));
            }
            RunEntry::Points(group) if row_bytes(group) > ITEM_BYTES_MAX => {
                return Err(at(ApiError::too_large("points.columns", row_bytes(group), ITEM_BYTES_MAX)));
            }
            RunEntry::Object(object) if object.body.len() > ITEM_BYTES_MAX => {
                return Err(at(ApiError::too_large("object.body", object.body.len(), ITEM_BYTES_MAX)));
            }
            RunEntry::ConfigChanged(_) | RunEntry::SummaryChanged(_) => {
                let bytes = encode_run_items(std::slice::from_ref(entry)).len();
                if bytes > ITEM_BYTES_MAX {
                    return Err(at(ApiError::too_large("items", bytes, ITEM_BYTES_MAX)));
                }
            }
            _ => {}
        }
        seq = seq.saturating_add(entry.items());
    }
    Ok(())
}

/// What one `log()` call brought: its step, its time and a value of each column.
fn row_bytes(group: &StepGroup) -> usize {
    group.columns.iter().fold(16, |sum, column| sum + column.kind.width() + size_of::<u32>())
}

/// Item 1 opens the writer: alone, in no take yet. Its place may only be taken by a gap (the door refused it).
fn opening(batch: &Batch, entries: &mut [RunEntry]) -> Result<Option<Box<RunOpened>>, ApiError> {
    let opens = entries.iter().any(|entry| matches!(entry, RunEntry::Opened(_)));
    match entries {
        [RunEntry::Opened(opened)] if batch.first == 1 => {
            if batch.take != 0 {
                return Err(ApiError::invalid("take", "must be 0 for the batch that holds item 1"));
            }
            if opened.project.is_some() {
                return Err(ApiError::invalid("opened.project_id", "is set by the door, leave it out"));
            }
            Ok(Some(opened.clone()))
        }
        _ if opens => Err(ApiError::invalid("items", "a run is opened by item 1, alone in its batch")),
        [RunEntry::Gap(_), ..] if batch.first == 1 => Ok(None),
        _ if batch.first == 1 => Err(ApiError::invalid("items", "item 1 must open the run")),
        _ if batch.take == 0 => Err(ApiError::invalid("take", "must be the take of the writer's opening")),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests;
