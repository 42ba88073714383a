//! Three brokers of our own: started for this test, hit by it, ended with it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use corral_domain::Partition;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::Value;

const IN_SYNC_LOOKS_MAX: u32 = 300;

pub(crate) struct Cluster {
    engines: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    told: Value,
    _dir: tempfile::TempDir,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let dir = tempfile::tempdir().expect("a directory");
        let mut engines = Command::new("python3")
            .args(["-m", "engines", "--control", "--brokers", "3", "--stores", "0", "--run"])
            .arg(dir.path().join("run.json"))
            .env("PYTHONPATH", root.join("tests"))
            .current_dir(&root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts the engines");
        let input = engines.stdin.take();
        let output = BufReader::new(engines.stdout.take().expect("piped"));
        let mut cluster = Self { engines, input, output, told: Value::Null, _dir: dir };
        cluster.hear();
        cluster
    }

    pub(crate) fn bootstrap(&self) -> String {
        self.told["kafka"]["bootstrap"].as_str().expect("brokers run").to_owned()
    }

    /// The name of the node that leads a partition.
    pub(crate) fn leader(&self, topic: &str, partition: Partition) -> String {
        let wait = Duration::from_secs(20);
        let metadata = self.client().fetch_metadata(Some(topic), wait).expect("the brokers answer");
        let partitions = metadata.topics()[0].partitions();
        let found = partitions.iter().find(|found| found.id() == i32::from(partition.0)).expect("it is there");
        format!("kafka-{}", found.leader())
    }

    pub(crate) fn signal(&self, name: &str, signal: &str) {
        let nodes = self.told["kafka"]["nodes"].as_array().expect("nodes");
        let node = nodes.iter().find(|node| node["name"] == name).expect("a node of that name");
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(node["pid"].to_string()).status();
        assert!(sent.expect("kill runs").success(), "{signal} reaches {name}");
    }

    /// Starts a node again that ended, on its data.
    pub(crate) fn start_again(&mut self, name: &str) {
        let input = self.input.as_mut().expect("open until the end");
        writeln!(input, "{name}").expect("the engines listen");
        self.hear();
    }

    /// Returns once every replica of every partition is in sync.
    pub(crate) async fn wait_in_sync(&self, topic: &str) {
        for _ in 0..IN_SYNC_LOOKS_MAX {
            let metadata = self.client().fetch_metadata(Some(topic), Duration::from_secs(5));
            let all = metadata.is_ok_and(|metadata| {
                metadata.topics()[0].partitions().iter().all(|partition| partition.isr().len() == 3)
            });
            if all {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("the replicas of {topic} are not in sync again");
    }

    fn client(&self) -> BaseConsumer {
        ClientConfig::new().set("bootstrap.servers", self.bootstrap()).create().expect("a client")
    }

    fn hear(&mut self) {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.output.read_line(&mut line).expect("the engines answer");
            assert!(read > 0, "the engines ended: {:?}", self.engines.try_wait());
            // Before it answers it may say that it fetches something.
            if line.starts_with('{') {
                break;
            }
        }
        self.told = serde_json::from_str(&line).expect("a line of JSON");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The end of their input ends them.
        drop(self.input.take());
        let _ = self.engines.wait();
    }
}
