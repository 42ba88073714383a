//! What the test and the processes that it starts share: one log on Kafka, one store and one table of leases in CQL.

use std::sync::Arc;

use corral_domain::BuildId;
use corral_event_log::EventLog;
use corral_event_log_kafka::{KafkaLog, KafkaSettings, Options};
use corral_read_store::ReadStore;
use corral_read_store_scylla::{Builds, Cluster, Config, Login, Replication, ScyllaLeases, schema};
use corral_tasks::Clock;
use serde_json::Value;

pub(crate) const PARTITIONS: u16 = 4;

/// Where everything is, as one argument of a process.
pub(crate) struct Places(pub(crate) Value);

impl Places {
    fn text(&self, name: &str) -> String {
        self.0[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.0)).to_owned()
    }

    pub(crate) fn kafka(&self) -> KafkaSettings {
        KafkaSettings {
            partitions: PARTITIONS,
            replicas: 1,
            ..KafkaSettings::new(self.text("brokers"), self.text("topic"))
        }
    }

    pub(crate) async fn log(&self) -> Arc<dyn EventLog> {
        let clock = Clock::system();
        let options = Options { clock: Arc::new(move || clock.now()), trace: None };
        Arc::new(KafkaLog::open(self.kafka(), options).await.expect("a log"))
    }

    pub(crate) async fn cluster(&self) -> Cluster {
        let config = Config {
            nodes: vec![self.text("node")],
            keyspace: self.text("keyspace"),
            datacenter: Some(self.text("datacenter")),
            login: Some(Login { user: self.text("user"), password: self.text("password") }),
            tls: None,
        };
        Cluster::connect(&config).await.expect("a connection")
    }
}

pub(crate) struct Opened {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) store: Arc<dyn ReadStore>,
    pub(crate) build: BuildId,
    pub(crate) leases: Arc<ScyllaLeases>,
}

/// Opens all of it; `make` says whether the schema is made first.
pub(crate) async fn open(places: &Places, make: bool) -> Opened {
    let (log, cluster) = (places.log().await, places.cluster().await);
    if make {
        schema::apply(&cluster, &Replication::Everywhere(1)).await.expect("a schema");
    }
    let opened = Builds::new(cluster.clone()).open_current().await.expect("a build");
    let leases = Arc::new(ScyllaLeases::new(cluster, "projector"));
    Opened { log, store: Arc::new(opened.store), build: opened.build, leases }
}
