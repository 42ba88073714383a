//! How the server under test is spread: `CORRAL_TOPOLOGY` says it, and `CORRAL_ENGINES` names the file that says where the
//! engines are.
//!
//! ```text
//! embedded   one process, everything in its data directory (unless something else is said)
//! cluster    one process with every role, on Kafka and CQL
//! roles      a process for each role, on Kafka and CQL
//! ```
//!
//! A small engine does not hold the tables of all tests at once, so keyspaces are used again, each time with a new build and
//! a new vault; topics are new for each sandbox.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use corral_event_log_kafka::KafkaSettings;
use corral_read_store_scylla::{Builds, Cluster, Config, Login, Replication, ScyllaVault, schema};
use corral_server::Role;
use serde_json::Value;

/// Partitions of the log: as the embedded one has.
pub const PARTITIONS: u16 = 4;
const ONE_COPY: Replication = Replication::Everywhere(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    Embedded,
    Cluster,
    Roles,
}

impl Topology {
    pub fn chosen() -> Self {
        match std::env::var("CORRAL_TOPOLOGY").as_deref() {
            Err(_) | Ok("embedded") => Self::Embedded,
            Ok("cluster") => Self::Cluster,
            Ok("roles") => Self::Roles,
            Ok(other) => panic!("CORRAL_TOPOLOGY: {other:?} is not embedded, cluster or roles"),
        }
    }

    /// The roles of each process. The first that has what is asked for is asked.
    pub(crate) fn processes(self) -> Vec<String> {
        match self {
            Self::Embedded | Self::Cluster => vec!["all".to_owned()],
            // Against the flow, as they are started by people.
            Self::Roles => {
                [Role::Web, Role::Query, Role::Projector, Role::Ingest].map(Role::name).map(str::to_owned).into()
            }
        }
    }
}

/// Where a sandbox on engines keeps everything. It has its keyspace for itself while it lives.
pub(crate) struct Places {
    engines: Value,
    keyspace: String,
    vault: String,
    topic: String,
}

/// Keyspaces that no sandbox has.
static FREE: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// Changes of the schema come one at a time.
static CHANGING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl Places {
    /// Empty ones.
    pub(crate) async fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let run = std::env::var_os("CORRAL_ENGINES")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.engines/run.json"), PathBuf::from);
        let said = std::fs::read_to_string(&run);
        let said = said.unwrap_or_else(|error| panic!("no engines ({}: {error}): run `make engines`", run.display()));
        let engines = serde_json::from_str(&said).expect("the run file is JSON");
        let name = format!("e2e_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let used = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let keyspace = used.clone().unwrap_or_else(|| name.clone());
        let places = Self { engines, vault: format!("{name}_vault"), topic: name, keyspace };
        let _one = CHANGING.lock().await;
        let vault = places.connect(&places.vault).await;
        ScyllaVault::apply(&vault, &ONE_COPY).await.expect("a vault");
        let cluster = places.connect(&places.keyspace).await;
        let before = schema::apply(&cluster, &ONE_COPY).await.expect("a schema").build;
        if used.is_some() {
            let builds = Builds::new(cluster);
            let fresh = builds.unused().await.expect("a number");
            builds.create(fresh).await.expect("a build");
            builds.switch(fresh).await.expect("a switch");
            builds.remove(before).await.expect("a build to remove");
        }
        places
    }

    fn engine(&self, path: &str) -> &str {
        self.engines.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("the run file has no {path}"))
    }

    fn address(&self) -> &str {
        self.engine("/cassandra/contact_points/0")
    }

    async fn connect(&self, keyspace: &str) -> Cluster {
        let (user, password) = (self.engine("/cassandra/user"), self.engine("/cassandra/password"));
        let config = Config {
            nodes: vec![self.address().to_owned()],
            keyspace: keyspace.to_owned(),
            datacenter: Some(self.engine("/cassandra/data_center").to_owned()),
            login: Some(Login { user: user.to_owned(), password: password.to_owned() }),
            tls: None,
        };
        Cluster::connect(&config).await.expect("a connection")
    }

    /// As `corral serve` is told; the password comes from the environment.
    pub(crate) fn flags(&self) -> [(&'static str, String); 2] {
        let (brokers, data_center) = (self.engine("/kafka/bootstrap"), self.engine("/cassandra/data_center"));
        let (topic, keyspace, vault) = (&self.topic, &self.keyspace, &self.vault);
        let (node, user) = (self.address(), self.engine("/cassandra/user"));
        [
            ("log", format!("kafka://{brokers}/{topic}?partitions={PARTITIONS}&replicas=1")),
            ("store", format!("cql://{node}/{keyspace}?vault={vault}&datacenter={data_center}&user={user}")),
        ]
    }

    pub(crate) fn password(&self) -> &str {
        self.engine("/cassandra/password")
    }

    /// The log's own settings, for who looks into it.
    pub(crate) fn kafka(&self) -> KafkaSettings {
        let settings = KafkaSettings::new(self.engine("/kafka/bootstrap"), self.topic.as_str());
        KafkaSettings { partitions: PARTITIONS, replicas: 1, ..settings }
    }

    /// Lets another sandbox have the keyspace: every server of this one has ended.
    pub(crate) fn release(self) {
        FREE.lock().unwrap_or_else(PoisonError::into_inner).push(self.keyspace);
    }
}
