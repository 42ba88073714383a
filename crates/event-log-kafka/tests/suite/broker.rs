//! Where the one broker is, and what it is asked beside a log of ours.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use corral_event_log_kafka::KafkaSettings;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use serde_json::Value;

use crate::support::{open, topic};

/// What the engines' run file says.
pub(crate) fn engines() -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let run = std::env::var_os("CORRAL_ENGINES").map_or_else(|| root.join(".engines/run.json"), PathBuf::from);
    let text = std::fs::read_to_string(&run);
    let text = text.unwrap_or_else(|error| panic!("no engines ({}: {error}): run `make engines`", run.display()));
    serde_json::from_str(&text).expect("the run file is JSON")
}

/// Of a new log on the one plain broker.
pub(crate) fn settings(name: &str) -> KafkaSettings {
    let brokers = engines()["kafka"]["bootstrap"].as_str().expect("a broker runs").to_owned();
    KafkaSettings { partitions: 2, replicas: 1, ..KafkaSettings::new(brokers, topic(name)) }
}

/// The words with which a log refuses to open.
pub(crate) async fn refused(settings: &KafkaSettings) -> String {
    match open(settings).await {
        Ok(_) => panic!("the log opens"),
        Err(error) => error.to_string(),
    }
}

pub(crate) fn record(index: usize) -> Bytes {
    Bytes::from(format!("record {index}"))
}

/// A client of the plain listener with no settings of ours.
pub(crate) fn plain(settings: &KafkaSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &settings.brokers);
    config
}

pub(crate) fn admin(settings: &KafkaSettings) -> (AdminClient<DefaultClientContext>, AdminOptions) {
    let wait = std::time::Duration::from_secs(20);
    let options = AdminOptions::new().request_timeout(Some(wait)).operation_timeout(Some(wait));
    (plain(settings).create().expect("an admin client"), options)
}
