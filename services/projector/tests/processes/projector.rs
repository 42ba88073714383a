//! A projector in a process of its own, and where it finds everything.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corral_tasks::Clock;
use serde_json::json;

use crate::world::Places;

pub(crate) const WAIT: Duration = Duration::from_secs(60);

/// What the engines' run file says, with a topic and a keyspace of this test's own.
pub(crate) fn places() -> Places {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let run = std::env::var_os("CORRAL_ENGINES").map_or_else(|| root.join(".engines/run.json"), PathBuf::from);
    let text = std::fs::read_to_string(&run);
    let text = text.unwrap_or_else(|error| panic!("no engines ({}: {error}): run `make engines`", run.display()));
    let engines: serde_json::Value = serde_json::from_str(&text).expect("the run file is JSON");
    let (kafka, cassandra) = (&engines["kafka"], &engines["cassandra"]);
    let own = uuid::Uuid::new_v4().simple().to_string();
    Places(json!({
        "brokers": kafka["bootstrap"], "topic": format!("processes-{own}"), "keyspace": format!("processes_{own}"),
        "node": cassandra["contact_points"][0], "datacenter": cassandra["data_center"],
        "user": cassandra["user"], "password": cassandra["password"],
    }))
}

/// A projector in a process of its own, and the last that it said.
pub(crate) struct Projector {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Projector {
    pub(crate) fn start(places: &Places) -> Self {
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

    pub(crate) fn owned(&self) -> usize {
        self.said().strip_prefix("owns ").map_or(0, |owned| owned.split_whitespace().count())
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("kill");
        assert!(sent.success(), "kill {signal}");
    }

    /// Ends it in good order; returns what it said of itself.
    pub(crate) async fn end(mut self) -> BTreeMap<String, u64> {
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
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) -> Duration {
    let clock = Clock::system();
    while !holds() {
        assert!(clock.monotonic() < WAIT, "{what}: not within {WAIT:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    clock.monotonic()
}
