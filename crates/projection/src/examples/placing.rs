//! What finds no place in its run: left out and counted, while the rest of its record applies.

use corral_domain::run::Resume;
use corral_domain::scalar::{ConfigEntry, Scalar};
use corral_domain::{RunEntry, RunState, limits as real};
use corral_read_store::layout::Row;
use corral_read_store::run::{self, RunConfigRow};
use corral_read_store::{MemoryStore, ReadStore, Table};

use super::block_on;
use crate::limits::Limits;
use crate::testing::reader::{Reader, head_of};
use crate::testing::{self, Driven, Item, Logged, ORGANIZATION, append, run_id};

fn opening(writer: u8, label: &str) -> Logged {
    let opened = Item::Opened { launch: "l".to_owned(), label: label.to_owned(), resume: Resume::Unspecified };
    Logged { run: 0, writer, first: 1, items: vec![opened] }
}

fn items(writer: u8, first: u64, items: Vec<Item>) -> Logged {
    Logged { run: 0, writer, first, items }
}

/// A series: its name, its label, its points.
type Points<'a> = (&'a str, &'a str, &'a [f64]);

/// The series; items not whole; the run's state; and no dead letter. After every record
/// a projector that remembers nothing, so that all of it comes from the store.
async fn check(limits: Limits, log: &[Logged], expect: (&[Points<'_>], u64, RunState)) {
    let (appended, store) = (testing::log(), MemoryStore::new());
    for logged in log {
        append(&appended, logged.bytes()).await;
    }
    let forgetful = Limits { commit_records_max: 1, streams_max: 0, ..limits };
    Driven::new(&appended, &store, &forgetful, 1).finish().await;
    let (series, lost, state) = expect;
    let found = Reader::new(&store, 0).finish().await.series;
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let right: Vec<_> = series
        .iter()
        .map(|(name, label, values)| ((1, (*name).to_owned(), (*label).to_owned()), bits(values)))
        .collect();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), right);
    let head = head_of(&store, 0).await.expect("a state");
    assert_eq!((head.gap_items, head.state), (lost, state as u8));
    assert_eq!(head.points, series.iter().map(|(_, _, values)| values.len() as u64).sum::<u64>());
    assert_eq!(store.dump(Table::DeadLetter, None, 10).await.expect("a dump"), []);
}

/// Two writers with three metrics and four, in a run that has room for three.
#[test]
fn a_metric_beyond_the_runs_bound_takes_nothing_else_with_it() {
    let own = |id: u32| Item::Points(vec![(0, 1.0), (id, 2.0)]);
    let log = [
        opening(1, ""),
        opening(2, ""),
        items(1, 2, vec![Item::Register(0), Item::Register(1), Item::Register(2), own(2)]),
        // Id 3 has no place.
        items(2, 2, (0..4).map(Item::Register).chain([own(3), Item::Points(vec![(3, 5.0)])]).collect()),
        items(2, 8, vec![own(3), Item::Finished]),
    ];
    let limits = Limits { run_metrics_max: 3, ..Limits::default() };
    let right: [Points<'_>; 2] = [("m0", "", &[1.0, 1.0, 1.0]), ("m2", "", &[2.0])];
    block_on(check(limits, &log, (&right, 4, RunState::Finished)));
}

/// Only series that are new need room.
#[test]
fn a_series_beyond_the_runs_bound_takes_nothing_else_with_it() {
    let both = |value: f64| Item::Points(vec![(0, value), (1, value)]);
    let log = [
        opening(1, "a"),
        opening(2, "b"),
        items(1, 2, vec![Item::Register(0), Item::Register(1), both(1.0)]),
        items(2, 2, vec![Item::Register(0), Item::Register(1), both(2.0)]),
        items(1, 5, vec![both(3.0)]),
        items(2, 5, vec![both(4.0), Item::Object, Item::Finished]),
    ];
    let limits = Limits { run_series_max: 3, ..Limits::default() };
    let right: [Points<'_>; 3] = [("m0", "a", &[1.0, 3.0]), ("m0", "b", &[2.0, 4.0]), ("m1", "a", &[1.0, 3.0])];
    block_on(check(limits, &log, (&right, 2, RunState::Finished)));
}

/// A registration that the door refused, or that the spool lost, became a gap: what is registered behind it applies.
#[test]
fn a_registration_that_became_a_gap_takes_nothing_else_with_it() {
    let log = [
        opening(1, ""),
        items(1, 2, vec![Item::Gap, Item::Gap, Item::Register(2), Item::Points(vec![(0, 1.0), (2, 2.0)])]),
        items(1, 6, vec![Item::Object, Item::Points(vec![(2, 3.0)])]),
        items(1, 8, vec![Item::Points(vec![(9, 4.0)]), Item::Register(3), Item::Points(vec![(3, 5.0)])]),
    ];
    let right: [Points<'_>; 2] = [("m2", "", &[2.0, 3.0]), ("m3", "", &[5.0])];
    block_on(check(Limits::default(), &log, (&right, 5, RunState::Running)));
}

fn config(path: impl Into<String>, value: Option<String>) -> ConfigEntry {
    ConfigEntry { path: vec![path.into()], value: value.map(Scalar::Text) }
}

/// A record of control entries, each one item.
async fn append_entries(log: &corral_event_log::memory::MemoryLog, first: u64, entries: Vec<RunEntry>) {
    append(log, testing::items_bytes(0, 1, first, &entries)).await;
}

async fn config_and_lost(store: &MemoryStore) -> (RunConfigRow, u64) {
    let row = store.get(&run::config_key(ORGANIZATION, &run_id(0), 0)).await.expect("a get").expect("a config");
    let head = head_of(store, 0).await.expect("a state");
    (RunConfigRow::decode(&row).expect("a row"), head.gap_items)
}

#[test]
fn a_full_config_keeps_its_keys_and_counts_what_does_not_fit() {
    block_on(async {
        let (log, store) = (testing::log(), MemoryStore::new());
        append(&log, opening(1, "").bytes()).await;
        let many = (0..real::CONFIG_PATHS_MAX).map(|at| config(format!("k{at}"), Some("old".to_owned()))).collect();
        let again = vec![config("k0", Some("new".to_owned())), config("more", Some("x".to_owned()))];
        let swap = vec![config("k1", None), config("other", Some("y".to_owned()))];
        let all = [many, again, swap].map(RunEntry::ConfigChanged).to_vec();
        append_entries(&log, 2, all).await;
        Driven::new(&log, &store, &Limits::default(), 1).finish().await;
        let (found, lost) = config_and_lost(&store).await;
        let at = |place: usize| (found.entries[place].0[0].as_str(), found.entries[place].1.as_str());
        assert_eq!((found.entries.len(), lost), (real::CONFIG_PATHS_MAX, 1));
        assert_eq!((at(0), at(1)), (("k0", "\"new\""), ("k2", "\"old\"")), "in its place");
        assert_eq!(at(real::CONFIG_PATHS_MAX - 1), ("other", "\"y\""));
    });
}

#[test]
fn a_config_of_too_many_bytes_keeps_what_it_had() {
    block_on(async {
        let (log, store) = (testing::log(), MemoryStore::new());
        append(&log, opening(1, "").bytes()).await;
        let text = |byte: &str| Some(byte.repeat(250_000));
        let full = (0..4).map(|at| RunEntry::ConfigChanged(vec![config(format!("k{at}"), text("a"))]));
        for (first, entry) in (2..).zip(full) {
            append_entries(&log, first, vec![entry]).await;
        }
        let last = vec![config("k4", text("b")), config("k0", text("c"))];
        append_entries(&log, 6, vec![RunEntry::ConfigChanged(last)]).await;
        Driven::new(&log, &store, &Limits::default(), 1).finish().await;
        let (found, lost) = config_and_lost(&store).await;
        let starts: Vec<_> = found.entries.iter().map(|(path, value)| (path[0].as_str(), &value[1..2])).collect();
        assert_eq!((starts, lost), (vec![("k0", "c"), ("k1", "a"), ("k2", "a"), ("k3", "a")], 1));
    });
}

/// Keys set by hand: as many as may be, and one more.
#[test]
fn a_full_summary_keeps_its_keys_and_counts_what_does_not_fit() {
    block_on(async {
        let (log, store) = (testing::log(), MemoryStore::new());
        append(&log, opening(1, "").bytes()).await;
        let set = |at: usize, value: u64| (format!("k{at}"), Some(Scalar::U64(value)));
        let full = (0..real::SUMMARY_KEYS_MAX).map(|at| set(at, 1)).collect();
        let more = vec![set(0, 2), set(real::SUMMARY_KEYS_MAX, 2)];
        append_entries(&log, 2, vec![RunEntry::SummaryChanged(full), RunEntry::SummaryChanged(more)]).await;
        Driven::new(&log, &store, &Limits::default(), 1).finish().await;
        let run = crate::load::load(&store, &testing::stream(0), testing::EPOCH).await.expect("a state");
        assert_eq!((run.info.summary.len(), run.head.gap_items), (real::SUMMARY_KEYS_MAX, 1));
        assert_eq!(run.info.summary[0], ("k0".to_owned(), "2".to_owned()));
    });
}
