//! A door judges shape and bounds, and names the field and the item.

use corral_domain::metric::MetricRegistered;
use corral_domain::run::{FinishState, GapAccepted, GapReason, ObjectLogged, RunFinished};
use corral_domain::scalar::{ConfigEntry, Scalar};
use corral_domain::{Column, ColumnType, CommandId, ProjectId, TraceContext};

use super::*;

fn opened() -> RunOpened {
    RunOpened::new(CommandId::from_bytes([1; 16]), "digits", "launch")
}

fn points(rows: u32, columns: u32) -> RunEntry {
    let words = |count: u32| Bytes::from(vec![0; count as usize * 8]);
    let column = |metric| Column { metric, kind: ColumnType::F64, values: words(rows) };
    let (steps, times) = (words(rows), words(rows));
    RunEntry::Points(StepGroup { rows, steps, times, columns: (0..columns).map(column).collect() })
}

fn register() -> RunEntry {
    RunEntry::MetricRegistered(MetricRegistered { id: 0, name: "loss".to_owned() })
}

fn batch(first: u64, last: u64, entries: &[RunEntry]) -> Batch {
    let take = u32::from(first > 1);
    let (items, trace) = (encode_run_items(entries), TraceContext::default());
    Batch { handle: 1, first, last, take, client_time_us: 0, items, trace }
}

/// The field that is refused, and the item that is to blame.
#[track_caller]
fn refuses(batch: &Batch, field: &str, item: Option<u64>) {
    let error = check(batch).expect_err("it is refused");
    assert_eq!((&*error.field, error.item_index), (field, item), "{error}");
    assert!(error.message.starts_with(field), "the message names the field: {error}");
}

#[test]
fn a_batch_counts_exactly_its_items() {
    let entries = [register(), points(3, 2)];
    let checked = check(&batch(5, 8, &entries)).expect("four items");
    assert_eq!((checked.items, checked.opened.is_none()), (4, true));
    assert_eq!(checked.payload, batch(5, 8, &entries).items, "the client's own bytes");
    for (first, last) in [(5, 7), (5, 9), (2, 2)] {
        refuses(&batch(first, last, &entries), "last_seq", None);
    }
    refuses(&batch(5, 5, &[]), "items", None);
}

#[test]
fn a_range_lies_between_1_and_the_last_seq_but_one() {
    for (first, last) in [(0, 1), (0, 0), (7, 6), (u64::MAX, u64::MAX), (1, u64::MAX), (u64::MAX, 0)] {
        refuses(&batch(first, last, &[register()]), "first_seq", None);
    }
    let last = u64::MAX - 1;
    assert_eq!(check(&batch(last, last, &[register()])).expect("the last seq there is").items, 1);
}

#[test]
fn item_1_opens_the_run_alone() {
    let open = RunEntry::Opened(Box::new(opened()));
    let checked = check(&batch(1, 1, std::slice::from_ref(&open))).expect("an opening");
    assert_eq!(checked.opened.as_deref(), Some(&opened()));
    refuses(&Batch { take: 1, ..batch(1, 1, std::slice::from_ref(&open)) }, "take", None);
    refuses(&batch(1, 2, &[open.clone(), register()]), "items", None);
    refuses(&batch(2, 2, std::slice::from_ref(&open)), "items", None);
    refuses(&batch(1, 1, &[register()]), "items", None);
    refuses(&Batch { take: 0, ..batch(2, 2, &[register()]) }, "take", None);
    let forged = RunOpened { project: Some(ProjectId::from_bytes([9; 16])), ..opened() };
    refuses(&batch(1, 1, &[RunEntry::Opened(Box::new(forged))]), "opened.project_id", None);
    // A door that refused the opening gets a gap in its place.
    let gap = RunEntry::Gap(GapAccepted { from: 1, to: 1, why: GapReason::Refused, detail: String::new() });
    assert!(check(&batch(1, 1, &[gap])).expect("a gap").opened.is_none());
}

#[test]
fn what_names_a_seq_names_its_own() {
    let gap = |from, to| RunEntry::Gap(GapAccepted { from, to, why: GapReason::SpoolFull, detail: String::new() });
    assert_eq!(check(&batch(4, 9, &[register(), gap(5, 9)])).expect("a gap of five").items, 6);
    refuses(&batch(4, 9, &[register(), gap(4, 8)]), "gap.from_seq", Some(1));
    let end = |last_seq| {
        RunEntry::Finished(RunFinished {
            state: FinishState::Failed,
            exit_code: None,
            message: String::new(),
            last_seq,
        })
    };
    check(&batch(6, 7, &[register(), end(7)])).expect("an end");
    refuses(&batch(6, 7, &[register(), end(6)]), "finished.last_seq", Some(1));
}

#[test]
fn an_item_is_bounded_whatever_it_is() {
    let columns = (ITEM_BYTES_MAX / 12) as u32 + 1;
    refuses(&batch(2, 3, &[register(), points(1, columns)]), "points.columns", Some(1));
    let object = |bytes: usize| ObjectLogged {
        metric: 0,
        step: 0,
        time_us: 0,
        media_type: "text/plain".to_owned(),
        body: vec![b'x'; bytes].into(),
    };
    check(&batch(2, 2, &[RunEntry::Object(object(ITEM_BYTES_MAX))])).expect("at the limit");
    refuses(&batch(2, 3, &[register(), RunEntry::Object(object(ITEM_BYTES_MAX + 1))]), "object.body", Some(1));
    let text = |bytes: usize| Some(Scalar::Text("y".repeat(bytes)));
    let entry = |index: usize| ConfigEntry { path: vec![format!("key-{index}")], value: text(4_000) };
    let config = RunEntry::ConfigChanged((0..70).map(entry).collect());
    refuses(&batch(2, 3, &[register(), config]), "items", Some(1));
}

#[test]
fn a_batch_is_bounded_before_it_is_decoded() {
    let large = Batch { items: vec![0xff; BATCH_BYTES_MAX + 1].into(), ..batch(2, 2, &[]) };
    refuses(&large, "items", None);
    let trace = TraceContext { traceparent: "t".repeat(TRACE_BYTES_MAX + 1), ..TraceContext::default() };
    refuses(&Batch { trace, ..batch(2, 2, &[register()]) }, "trace", None);
    check(&Batch { items: vec![0xff; 100].into(), ..batch(2, 2, &[]) }).expect_err("bytes that are no items");
}

#[test]
fn every_cut_of_a_batch_is_refused_or_counted() {
    let whole = batch(2, 5, &[register(), points(3, 4)]);
    for end in 0..whole.items.len() {
        let cut = Batch { items: whole.items.slice(..end), ..whole.clone() };
        check(&cut).expect_err("a cut batch does not count its items");
    }
}

/// The message of a finished writer, with `more` in it.
fn finished_with(more: &[u8]) -> Batch {
    let known = [0x08, 0x01, 0x20, 0x02];
    let finished = [&known[..], more].concat();
    let entry = [&[0x22, finished.len() as u8][..], &finished].concat();
    Batch { items: [&[0x0a, entry.len() as u8][..], &entry].concat().into(), ..batch(2, 2, &[register()]) }
}

#[test]
fn a_field_that_is_not_known_is_refused_by_its_number() {
    check(&finished_with(&[])).expect("what is known");
    let negative = [0x10, 0xff, 0xff, 0xff, 0xff, 0x0f];
    check(&finished_with(&negative)).expect("exit code -1, in five bytes");
    // Field 99: 2 bytes of key, 1 of length, 2 of value.
    let unknown = [0x9a, 0x06, 0x02, 0x00, 0x00];
    refuses(&finished_with(&unknown), "RunFinished.99", None);
    // As long together as exit code -1 in ten bytes.
    refuses(&finished_with(&[&negative[..], &unknown].concat()), "RunFinished.99", None);
    let entry = batch(2, 2, &[register()]);
    refuses(&Batch { items: [&entry.items[..], &unknown].concat().into(), ..entry }, "RunItems.99", None);
}
