//! A real Apache Cassandra for tests, started by `tests/engines` and ended with us, however we end.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use corral_read_store_scylla::{Cluster, Config, Login, Replication};
use serde_json::Value;

pub(crate) struct Engine {
    control: Mutex<Control>,
    _dir: tempfile::TempDir,
}

struct Control {
    child: Child,
    /// Its end tells the engine to end, so it needs no one to end it.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    facts: Value,
}

impl Engine {
    /// A missing engine is a failed test.
    pub(crate) fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let dir = tempfile::TempDir::new().expect("a directory");
        let mut child = Command::new("python3")
            .args(["-m", "engines", "--control", "--brokers", "0", "--stores", "1", "--run"])
            .arg(dir.path().join("run.json"))
            .current_dir(root)
            .env("PYTHONPATH", "tests")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().expect("an output")));
        let mut control = Control { child, input, output, facts: Value::Null };
        control.read();
        Self { control: Mutex::new(control), _dir: dir }
    }

    fn fact(&self, path: &str) -> String {
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        let found = control.facts.pointer(path).unwrap_or_else(|| panic!("no {path} in {}", control.facts));
        found.as_str().map_or_else(|| found.to_string(), str::to_owned)
    }
    pub(crate) fn address(&self) -> String {
        self.fact("/cassandra/contact_points/0")
    }
    pub(crate) fn ca(&self) -> PathBuf {
        self.fact("/ca").into()
    }
    pub(crate) fn other_ca(&self) -> PathBuf {
        self.fact("/other_ca").into()
    }
    pub(crate) fn pid(&self) -> String {
        self.fact("/cassandra/nodes/0/pid")
    }
    pub(crate) fn login(&self) -> Login {
        Login { user: self.fact("/cassandra/user"), password: self.fact("/cassandra/password") }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid()]).status().expect("kill");
        assert!(sent.success(), "kill {signal}");
    }

    /// Starts the node again, on its data, after it was killed; returns when it answers.
    pub(crate) fn start_again(&self) {
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        let input = control.input.as_mut().expect("an input");
        input.write_all(b"cassandra-1\n").expect("a command");
        input.flush().expect("a command");
        control.read();
    }

    pub(crate) fn config(&self, keyspace: &str) -> Config {
        Config {
            nodes: vec![self.address()],
            keyspace: keyspace.to_owned(),
            datacenter: Some(self.fact("/cassandra/data_center")),
            login: Some(self.login()),
            tls: None,
        }
    }

    pub(crate) async fn connect(&self, keyspace: &str) -> Cluster {
        Cluster::connect(&self.config(keyspace)).await.expect("a connection")
    }
}

impl Control {
    fn read(&mut self) {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("an answer of the engine");
        self.facts = serde_json::from_str(&line).unwrap_or_else(|_| panic!("the engine did not start: {line:?}"));
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

pub(crate) const ONE_COPY: Replication = Replication::Everywhere(1);
