//! Decisions, refusals, and what stops a partition.

use corral_domain::run::Resume;
use corral_domain::{EventType, LogEpoch, Micros, Outcome, ProjectId, StreamKey};
use corral_read_store::layout::Row;
use corral_read_store::project::ProjectStatRow;
use corral_read_store::run::{self, RunConfigRow};
use corral_read_store::state::{self, OutcomeRow, WriterRow};
use corral_read_store::{MemoryStore, ReadStore, Table, outcome, project};
use corral_tasks::{ManualClock, Shutdown};

use super::block_on;
use crate::limits::Limits;
use crate::load;
use crate::runner::{Handles, Runner};
use crate::testing::{
    self, Driven, Item, Logged, Moved, ONE, ORGANIZATION, append, command, reader, stream, writer_id,
};

fn claim(number: u8, project: u8) -> bytes::Bytes {
    let claimed = corral_domain::project::ProjectNameClaimed {
        name: "mnist".to_owned(),
        project: ProjectId::from_bytes([project; 16]),
    };
    let payload = corral_event_codec::encode_project_name_claimed(&claimed);
    let organization = StreamKey::organization(ORGANIZATION);
    let bytes = testing::envelope(organization, EventType::ProjectNameClaimed, None, payload);
    let mut envelope = corral_event_codec::decode_envelope(&bytes).expect("our own");
    envelope.command_id = Some(command(number));
    corral_event_codec::encode_envelope(&envelope)
}

async fn outcome_of(store: &MemoryStore, number: u8) -> Outcome {
    let key = state::outcome_key(&StreamKey::organization(ORGANIZATION), command(number));
    let row = store.get(&key).await.expect("a get").expect("an outcome");
    outcome::from_row(&OutcomeRow::decode(&row).expect("a row")).expect("an outcome")
}

/// Whoever wins a name, wins it in every life: a crash may keep the name's row and lose the outcome.
#[test]
fn deciding() {
    block_on(async {
        for seed in 0..200 {
            let (log, store) = (testing::log(), MemoryStore::cql(seed));
            for (number, project) in [(1, 11), (2, 12), (1, 11), (3, 11)] {
                append(&log, claim(number, project)).await;
            }
            for die_after in [seed % 9, seed % 7, u64::MAX] {
                let mut life = Driven::new(&log, &store, &Limits::default(), seed);
                let mut moves = 0;
                while moves < die_after && life.go().await != Moved::Idle {
                    moves += 1;
                }
                life.crash();
            }
            let project = ProjectId::from_bytes([11; 16]);
            for (number, won) in [(1, true), (2, false), (3, true)] {
                assert_eq!(outcome_of(&store, number).await, Outcome::ProjectName { project, won });
            }
        }
    });
}

fn items(first: u64, items: Vec<Item>) -> bytes::Bytes {
    Logged { run: 0, writer: 1, first, items }.bytes()
}

fn opening() -> bytes::Bytes {
    items(1, vec![Item::Opened { launch: "l".to_owned(), label: String::new(), resume: Resume::Unspecified }])
}

/// A record that is refused is kept with its bytes, and what follows it applies.
#[test]
fn a_refused_record_does_not_hold_up_its_writer() {
    block_on(async {
        let (log, store) = (testing::log(), MemoryStore::new());
        append(&log, opening()).await;
        append(&log, items(2, opening_items())).await;
        append(&log, items(3, vec![Item::Register(0), Item::Points(vec![(0, 1.0)])])).await;
        Driven::new(&log, &store, &Limits::default(), 1).finish().await;
        let head = reader::head_of(&store, 0).await.expect("a state");
        assert_eq!((head.points, head.applied_through.0), (1, 3));
        let letters = store.dump(Table::DeadLetter, None, 10).await.expect("a dump");
        assert_eq!(letters.len(), 1);
        let key = state::writer_key(&stream(0), writer_id(1), 1, "somebody");
        let row = WriterRow::decode(&store.get(&key).await.expect("a get").expect("a writer")).expect("a row");
        assert_eq!(row.hw, 4);
    });
}

/// A record that changes a row twice says it once: its rows share a timestamp, and the store would choose the larger.
#[test]
fn the_last_word_of_a_record_counts() {
    block_on(async {
        let (log, store) = (testing::log(), MemoryStore::new());
        append(&log, opening()).await;
        append(&log, items(2, vec![Item::Config(8), Item::Config(2)])).await;
        Driven::new(&log, &store, &Limits::default(), 1).finish().await;
        let key = run::config_key(ORGANIZATION, &testing::run_id(0), 0);
        let row = store.get(&key).await.expect("a get").expect("a config");
        let config = RunConfigRow::decode(&row).expect("a row");
        assert_eq!(config.entries, [(vec!["a".to_owned(), "b2".to_owned()], "2".to_owned())]);
    });
}

/// What this build cannot read stops the partition: what came before is there, and the checkpoint says why.
#[test]
fn an_event_of_the_future_stops_the_partition() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let (log, store) = (testing::log(), MemoryStore::new());
        append(&log, opening()).await;
        let mut envelope = corral_event_codec::decode_envelope(&opening()).expect("our own");
        envelope.min_reader_version = 2;
        append(&log, corral_event_codec::encode_envelope(&envelope)).await;
        let mut runner = Runner::new(testing::handles(&log, &store, &Limits::default()), ONE);
        runner.run(Shutdown::new()).await.expect("an end");
        let checkpoint = store.checkpoint(ONE).await.expect("a get").expect("a checkpoint");
        assert_eq!(checkpoint.offset.0, 1, "what came before is committed");
        assert!(checkpoint.stopped.is_some_and(|reason| reason.contains("reader of version 2")));
        assert!(checkpoint.stale_since > Micros(0));
        assert!(runner.status().stopped().is_some());
    });
}

/// A partition of which nothing was committed yet lags since the runner looked, not since 1970.
#[test]
fn a_lag_begins_when_it_is_seen() {
    block_on(async {
        let (log, store) = (testing::log(), MemoryStore::new());
        append(&log, opening()).await;
        let now = Micros(1_700_000_000_000_000);
        let clock = ManualClock::new(now).clock();
        let handles = Handles { clock, ..testing::handles(&log, &store, &Limits::default()) };
        let mut runner = Runner::new(handles, ONE);
        let status = runner.status();
        runner.start().await.expect("a start");
        runner.read().await.expect("a read");
        assert_eq!((status.lag_events(), status.lag_seconds(Micros(now.0 + 2_000_000))), (1, 2.0));
        runner.step().await.expect("a step");
        assert_eq!((status.lag_events(), status.lag_seconds(now)), (0, 0.0));
    });
}

/// State of another log epoch is never used, and of a run that was created twice as many runs are counted as there are.
#[test]
fn epochs_and_aggregates() {
    block_on(async {
        let (log, store) = (testing::log(), MemoryStore::new());
        append(&log, opening()).await;
        append(&log, opening()).await;
        append(&log, Logged { run: 1, writer: 2, first: 1, items: opening_items() }.bytes()).await;
        Driven::new(&log, &store, &Limits { commit_records_max: 1, ..Limits::default() }, 1).finish().await;
        let key = project::stat_key(ORGANIZATION, testing::PROJECT, ONE);
        let row = store.get(&key).await.expect("a get").expect("an aggregate");
        assert_eq!(ProjectStatRow::decode(&row).expect("a row").runs, 2);
        let own = load::load(&store, &stream(0), testing::EPOCH).await.expect("a state");
        assert_eq!((own.head.take.0, own.writers.len()), (1, 1));
        let other = load::load(&store, &stream(0), LogEpoch(testing::EPOCH.0 + 1)).await.expect("a state");
        assert_eq!((other.head.take.0, other.writers.len()), (0, 0));
    });
}

fn opening_items() -> Vec<Item> {
    vec![Item::Opened { launch: "l".to_owned(), label: String::new(), resume: Resume::Unspecified }]
}
