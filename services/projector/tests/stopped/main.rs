//! Projectors as processes on a real Kafka and a real Cassandra: one is stopped past its lease and woken while the other
//! goes on with its partitions. What it had under way lands late, on top of what the other has written: nothing may be lost,
//! doubled or different from a rebuild that nobody disturbed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corral_domain::{BuildId, Partition, Position, StreamKey};
use corral_ownership::LeaseTable as _;
use corral_projection::limits::Limits;
use corral_projection::{Plan, rebuild, verify};
use corral_read_store::MemoryStore;
use corral_read_store::layout::Row as _;
use corral_read_store::state::{RunStateRow, WriterRow, head_key, writer_key};
use corral_tasks::Clock;
use serde_json::json;

mod trainer;
mod world;

use trainer::{ACTOR, Trainer};
use world::{Opened, PARTITIONS, Places};

/// Runs, spread over all partitions.
const TRAINERS: usize = 12;
/// How often each process is stopped.
const ROUNDS: usize = 2;
const WAIT: Duration = Duration::from_secs(60);

/// What the engines' run file says, with a topic and a keyspace of this test's own.
fn places() -> Places {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let run = std::env::var_os("CORRAL_ENGINES").map_or_else(|| root.join(".engines/run.json"), PathBuf::from);
    let text = std::fs::read_to_string(&run);
    let text = text.unwrap_or_else(|error| panic!("no engines ({}: {error}): run `make engines`", run.display()));
    let engines: serde_json::Value = serde_json::from_str(&text).expect("the run file is JSON");
    let (kafka, cassandra) = (&engines["kafka"], &engines["cassandra"]);
    let own = uuid::Uuid::new_v4().simple().to_string();
    Places(json!({
        "brokers": kafka["bootstrap"], "topic": format!("stopped-{own}"), "keyspace": format!("stopped_{own}"),
        "node": cassandra["contact_points"][0], "datacenter": cassandra["data_center"],
        "user": cassandra["user"], "password": cassandra["password"],
    }))
}

/// A projector in a process of its own, and the last that it said.
struct Projector {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Projector {
    fn start(places: &Places) -> Self {
        let test = std::env::current_exe().expect("a program");
        let program = test.parent().and_then(|deps| deps.parent()).expect("a target directory");
        let mut command = Command::new(program.join("examples/projector-process"));
        let mut child = command.arg(places.0.to_string()).stdout(Stdio::piped()).spawn().expect("a process");
        let (said, lines) = (Arc::new(Mutex::new(String::new())), child.stdout.take().expect("an output"));
        let heard = said.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(lines).lines().map_while(Result::ok) {
                *heard.lock().expect("no panic") = line;
            }
        });
        Self { child, said }
    }

    fn said(&self) -> String {
        self.said.lock().expect("no panic").clone()
    }

    fn owned(&self) -> usize {
        self.said().strip_prefix("owns ").map_or(0, |owned| owned.split_whitespace().count())
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("kill");
        assert!(sent.success(), "kill {signal}");
    }

    /// Ends it in good order; returns what it said of itself.
    async fn end(mut self) -> BTreeMap<String, u64> {
        self.signal("-TERM");
        let ended = tokio::task::spawn_blocking(move || (self.child.wait().expect("an end"), self));
        let (code, ended) = ended.await.expect("no panic");
        assert!(code.success(), "{code}");
        until("the last words", || ended.said().starts_with("end ")).await;
        let words = ended.said();
        let pair =
            |word: &str| word.split_once('=').and_then(|(name, count)| Some((name.to_owned(), count.parse().ok()?)));
        words.split_whitespace().filter_map(pair).collect()
    }
}

/// A process of a test that failed ends with it, stopped or not.
impl Drop for Projector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns how long it took.
async fn until(what: &str, holds: impl Fn() -> bool) -> Duration {
    let clock = Clock::system();
    while !holds() {
        assert!(clock.monotonic() < WAIT, "{what}: not within {WAIT:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    clock.monotonic()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projector_that_is_stopped_past_its_lease_and_woken_does_no_harm() {
    let places = places();
    let opened = world::open(&places, true).await;
    let done = Arc::new(AtomicBool::new(false));
    let feeding: Vec<_> = (0..TRAINERS)
        .map(|number| {
            let (log, done) = (opened.log.clone(), done.clone());
            #[allow(clippy::disallowed_methods)]
            tokio::spawn(async move { Trainer::new(number).train(&*log, &done).await })
        })
        .collect();
    let projectors = [Projector::start(&places), Projector::start(&places)];
    let shared = || projectors.each_ref().map(Projector::owned) == [2, 2];
    until("even shares", shared).await;
    for round in 0..ROUNDS * 2 {
        let (stopped, other) = (&projectors[round % 2], &projectors[1 - round % 2]);
        stopped.signal("-STOP");
        let took = until("a takeover", || other.owned() == usize::from(PARTITIONS)).await;
        eprintln!("round {round}: the other projector had all partitions after {took:?}");
        assert!(took < Duration::from_secs(10), "{took:?}");
        // It goes on with them, into seals and merges that the stopped one knows nothing of.
        tokio::time::sleep(Duration::from_secs(2)).await;
        stopped.signal("-CONT");
        until("even shares again", shared).await;
    }
    done.store(true, Ordering::Release);
    let mut trainers = Vec::new();
    for fed in feeding {
        trainers.push(fed.await.expect("a trainer"));
    }
    let end = projected(&opened).await;
    for projector in projectors {
        let figures = projector.end().await;
        assert_eq!(figures["evicted"], ROUNDS as u64, "{figures:?}");
    }
    assert_eq!(opened.leases.members().await.expect("rows"), [], "who ends in good order leaves no row");
    check(&opened, &trainers, end).await;
}

/// Waits until everything that was appended is committed; returns how far that is.
async fn projected(opened: &Opened) -> Position {
    let (clock, mut end) = (Clock::system(), Position::default());
    for partition in (0..PARTITIONS).map(Partition) {
        let tail = opened.log.extent(partition).await.expect("an extent").tail;
        loop {
            let checkpoint = opened.store.checkpoint(partition).await.expect("an answer").unwrap_or_default();
            assert_eq!(checkpoint.stopped, None);
            if checkpoint.offset == tail {
                break;
            }
            assert!(clock.monotonic() < WAIT, "{partition}: {} of {tail}", checkpoint.offset);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        end.advance(partition, tail);
    }
    end
}

/// The oracle: what was acknowledged is there, once; and all rows are those of a rebuild that nobody disturbed.
async fn check(opened: &Opened, trainers: &[Trainer], until: Position) {
    let rebuilt = Arc::new(MemoryStore::new());
    let plan =
        Plan { build: BuildId(opened.build.0 + 1), limits: Limits::small(), clock: Clock::system(), seed: 1, until };
    rebuild(opened.log.clone(), rebuilt.clone(), plan, &|_, _, _| {}).await.expect("a rebuild");
    let counts = verify(&*opened.store, &*rebuilt).await.unwrap_or_else(|unequal| panic!("{unequal}"));
    let mut items = 0;
    for trainer in trainers {
        let stream = StreamKey::run(trainer::ORGANIZATION, &trainer.run);
        let row = |key| async move { opened.store.get(&key).await.expect("an answer").expect("a row") };
        let writer = WriterRow::decode(&row(writer_key(&stream, trainer.writer, 1, ACTOR)).await).expect("a writer");
        let state = RunStateRow::decode(&row(head_key(&stream)).await).expect("a state");
        assert_eq!((writer.hw, state.points, state.gap_items), (trainer.acked, trainer.points, 0), "{}", trainer.run);
        items += trainer.acked;
    }
    eprintln!("{items} items of {} runs: lost 0, doubled 0; {} equal rows", trainers.len(), counts.rows());
    assert!(items > 1_000 && counts.rows() > items / 10, "{items} items, {} rows", counts.rows());
}
