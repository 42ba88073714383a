//! What an operator says of the brokers, as types; and what librdkafka is told in its own words.

use std::fmt;
use std::path::PathBuf;

use corral_event_log::LogError;
use rdkafka::config::ClientConfig;

use crate::timing::{REQUEST_MS_MAX, SOCKET_MS_MAX};

/// Partitions of a log that nobody chose otherwise for.
pub const PARTITIONS: u16 = 16;
pub const PARTITIONS_MAX: u16 = 1_024;
/// Replicas of each partition, of which all but one have to have a record before it is acknowledged.
pub const REPLICAS: u16 = 3;
/// Kafka's own bound, less the longest suffix of ours.
const TOPIC_BYTES_MAX: usize = 200;

/// Where a log is and how to reach it. The names that errors give are those of the configuration file.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// `kafka.brokers`: host:port, by comma.
    pub brokers: String,
    /// `kafka.topic`: holds the records; `TOPIC.identity` says which log it is, `TOPIC.ephemeral` joins the processes' hubs.
    pub topic: String,
    /// `kafka.partitions`: of a new log; one that exists has to have as many.
    pub partitions: u16,
    /// `kafka.replicas`: of a new log, and the least that one that exists may have.
    pub replicas: u16,
    /// `kafka.create_topics`: whether missing topics are made.
    pub create_topics: bool,
    /// `kafka.allow_retention`: take a topic that forgets by itself. What it forgets is lost unless it was archived.
    pub allow_retention: bool,
    /// `kafka.tls`
    pub tls: Option<Tls>,
    /// `kafka.sasl`
    pub sasl: Option<Sasl>,
}

/// TLS to the brokers. Host names are always checked.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// `kafka.tls.ca`: authorities to trust, as PEM; none: the system's.
    pub ca: Option<PathBuf>,
    /// `kafka.tls.certificate` and `kafka.tls.key`: our own, as PEM, where brokers ask for one.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// Who we are to the brokers.
#[derive(Clone)]
pub enum Sasl {
    Plain(Login),
    ScramSha256(Login),
    ScramSha512(Login),
    /// `kafka.sasl.token_file`: a bearer token, read again before it ends. Something else keeps it fresh.
    OauthBearer {
        token_file: PathBuf,
    },
}

#[derive(Clone)]
pub struct Login {
    pub username: String,
    pub password: String,
}

impl KafkaSettings {
    pub fn new(brokers: impl Into<String>, topic: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            topic: topic.into(),
            partitions: PARTITIONS,
            replicas: REPLICAS,
            create_topics: true,
            allow_retention: false,
            tls: None,
            sasl: None,
        }
    }

    pub(crate) fn identity_topic(&self) -> String {
        format!("{}.identity", self.topic)
    }

    pub(crate) fn hub_topic(&self) -> String {
        format!("{}.ephemeral", self.topic)
    }

    /// Refuses what can be seen to be wrong without a broker.
    pub(crate) fn check(&self) -> Result<(), LogError> {
        let invalid = |what: String| Err(LogError::Invalid(what));
        if self.brokers.split(',').any(|broker| !is_host_and_port(broker.trim())) {
            return invalid(format!("kafka.brokers: {:?} is not host:port, by comma", self.brokers));
        }
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=TOPIC_BYTES_MAX).contains(&self.topic.len()) || !self.topic.bytes().all(named) || self.topic == ".." {
            return invalid(format!("kafka.topic: must be 1 to {TOPIC_BYTES_MAX} of A-Z, a-z, 0-9, '.', '_' and '-'"));
        }
        if !(1..=PARTITIONS_MAX).contains(&self.partitions) {
            return invalid(format!("kafka.partitions: must be 1 to {PARTITIONS_MAX}"));
        }
        if self.replicas == 0 || i16::try_from(self.replicas).is_err() {
            return invalid("kafka.replicas: must be 1 or more".to_owned());
        }
        let client = self.tls.iter().flat_map(|tls| &tls.client);
        let client = client.flat_map(|(own, key)| [("kafka.tls.certificate", own), ("kafka.tls.key", key)]);
        let ca = self.tls.iter().filter_map(|tls| tls.ca.as_ref()).map(|ca| ("kafka.tls.ca", ca));
        let token = match &self.sasl {
            Some(Sasl::OauthBearer { token_file }) => Some(("kafka.sasl.token_file", token_file)),
            _ => None,
        };
        for (setting, file) in ca.chain(client).chain(token) {
            if let Err(error) = std::fs::File::open(file) {
                return invalid(format!("{setting}: {}: {error}", file.display()));
            }
        }
        Ok(())
    }

    /// What every client of ours is told.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "corral")
            .set("allow.auto.create.topics", "false")
            // By default a broker that is stopped but not dead holds a client for 60 s: it sits on the open socket.
            .set("socket.timeout.ms", SOCKET_MS_MAX.to_string())
            .set("socket.connection.setup.timeout.ms", SOCKET_MS_MAX.to_string())
            .set("socket.keepalive.enable", "true")
            .set("reconnect.backoff.max.ms", "1000")
            .set("request.timeout.ms", REQUEST_MS_MAX.to_string());
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(tls) = &self.tls {
            tls.tell(&mut config);
        }
        if let Some(sasl) = &self.sasl {
            sasl.tell(&mut config);
        }
        config
    }
}

impl Tls {
    fn tell(&self, config: &mut ClientConfig) {
        config.set("ssl.endpoint.identification.algorithm", "https");
        if let Some(ca) = &self.ca {
            config.set("ssl.ca.location", ca.to_string_lossy());
        }
        if let Some((certificate, key)) = &self.client {
            config.set("ssl.certificate.location", certificate.to_string_lossy());
            config.set("ssl.key.location", key.to_string_lossy());
        }
    }
}

impl Sasl {
    fn tell(&self, config: &mut ClientConfig) {
        let (mechanism, login) = match self {
            Sasl::Plain(login) => ("PLAIN", Some(login)),
            Sasl::ScramSha256(login) => ("SCRAM-SHA-256", Some(login)),
            Sasl::ScramSha512(login) => ("SCRAM-SHA-512", Some(login)),
            Sasl::OauthBearer { .. } => ("OAUTHBEARER", None),
        };
        config.set("sasl.mechanism", mechanism);
        if let Some(login) = login {
            config.set("sasl.username", &login.username).set("sasl.password", &login.password);
        }
    }

    /// The setting that a refused login names.
    pub(crate) fn setting(&self) -> &'static str {
        match self {
            Sasl::OauthBearer { .. } => "kafka.sasl.token_file",
            _ => "kafka.sasl.username, kafka.sasl.password",
        }
    }
}

impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sasl::Plain(login) => f.debug_tuple("Plain").field(login).finish(),
            Sasl::ScramSha256(login) => f.debug_tuple("ScramSha256").field(login).finish(),
            Sasl::ScramSha512(login) => f.debug_tuple("ScramSha512").field(login).finish(),
            Sasl::OauthBearer { token_file } => f.debug_tuple("OauthBearer").field(token_file).finish(),
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

fn is_host_and_port(broker: &str) -> bool {
    broker
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
}

#[cfg(test)]
mod tests;
