//! The connection to a cluster: who is asked, how many requests at a time, and how long again.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use corral_domain::limits::{
    CQL_ATTEMPT_MS_MAX, CQL_BACKOFF_MS_MAX, CQL_BACKOFF_MS_MIN, CQL_CONNECT_MS_MAX, CQL_REQUEST_MS_MAX,
    CQL_REQUESTS_MAX, CQL_SCHEMA_MS_MAX,
};
use corral_read_store::StoreError;
use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslVersion};
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::{Session, TlsContext};
use scylla::client::session_builder::SessionBuilder;
use scylla::errors::{ConnectionError, ConnectionPoolError, ConnectionSetupRequestErrorKind, DbError};
use scylla::errors::{MetadataError, NewSessionError};
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::policies::retry::DefaultRetryPolicy;
use scylla::response::query_result::QueryResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency, SerialConsistency, Statement};
use tokio::sync::Semaphore;

use crate::config::{Config, ConnectError, Tls};
use crate::failure::Failure;
use crate::statements::{Keyspace, Shared};

/// A cluster and one keyspace in it; clones share the connections and the bound on requests.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    session: Session,
    keyspace: Keyspace,
    requests: Semaphore,
    /// Whether a quorum of one data centre is enough.
    local: bool,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    answered: AtomicU64,
    answered_us: AtomicU64,
    again: AtomicU64,
    failed: AtomicU64,
}

/// What this process has asked of a cluster, rows and checkpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub answered: u64,
    /// From when each was asked for to its answer, added up.
    pub answered_us: u64,
    /// Attempts after the first.
    pub again: u64,
    pub failed: u64,
    pub under_way: u64,
    pub under_way_max: u64,
}

impl Figures {
    /// (name, help, value), in the order in which they are shown.
    pub fn read(&self) -> Vec<(&'static str, &'static str, u64)> {
        vec![
            ("corral_read_store_requests_total", "requests that the cluster answered", self.answered),
            ("corral_read_store_request_us_total", "microseconds until it had, added up", self.answered_us),
            ("corral_read_store_again_total", "attempts after the first", self.again),
            ("corral_read_store_failed_total", "requests that were given up", self.failed),
            ("corral_read_store_requests", "requests under way", self.under_way),
            ("corral_read_store_requests_max", "how many may be", self.under_way_max),
        ]
    }
}

impl Cluster {
    /// Connects within `CQL_CONNECT_MS_MAX`, or says which setting to look at.
    pub async fn connect(config: &Config) -> Result<Self, ConnectError> {
        let keyspace = config.check()?;
        let mut builder = SessionBuilder::new()
            .known_nodes(&config.nodes)
            .default_execution_profile_handle(profile(config).into_handle())
            .connection_timeout(Duration::from_millis(CQL_ATTEMPT_MS_MAX))
            .schema_agreement_timeout(Duration::from_millis(CQL_SCHEMA_MS_MAX))
            // Once after a build's tables are made, not after each of them.
            .refresh_metadata_on_auto_schema_agreement(false)
            // What routing needs of our own keyspace, and nothing else.
            .keyspaces_to_fetch([keyspace.as_str()])
            .fetch_full_schema_metadata(false);
        if let Some(login) = &config.login {
            builder = builder.user(&login.user, &login.password);
        }
        if let Some(tls) = &config.tls {
            builder = builder.tls_context(Some(tls_context(tls)?));
        }
        let within = Duration::from_millis(CQL_CONNECT_MS_MAX);
        let session = match tokio::time::timeout(within, builder.build()).await {
            Ok(Ok(session)) => session,
            Ok(Err(error)) => return Err(refused(config, &error)),
            Err(_) => {
                let (nodes, reason) = (config.nodes.join(", "), format!("not within {CQL_CONNECT_MS_MAX} ms"));
                return Err(ConnectError::Unreachable { nodes, reason });
            }
        };
        let (requests, local) = (Semaphore::new(CQL_REQUESTS_MAX), config.datacenter.is_some());
        Ok(Self(Arc::new(Inner { session, keyspace, requests, local, counters: Counters::default() })))
    }

    pub fn figures(&self) -> Figures {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { answered, answered_us, again, failed } = &self.0.counters;
        Figures {
            answered: of(answered),
            answered_us: of(answered_us),
            again: of(again),
            failed: of(failed),
            under_way: (CQL_REQUESTS_MAX - self.0.requests.available_permits()) as u64,
            under_way_max: CQL_REQUESTS_MAX as u64,
        }
    }

    pub(crate) fn session(&self) -> &Session {
        &self.0.session
    }
    pub(crate) fn keyspace(&self) -> &Keyspace {
        &self.0.keyspace
    }

    /// Reads and writes meet in a quorum. Where no data centre is set it is the whole cluster's: a local one would be that
    /// of whichever node was asked, and two of them need not meet.
    pub(crate) fn consistency(&self) -> Consistency {
        consistency(self.0.local)
    }

    /// A statement that may be sent again: each of ours carries its own timestamp, or reads.
    pub(crate) async fn prepare(&self, text: String, page_rows: usize) -> Result<PreparedStatement, Failure> {
        let mut prepared = self.0.session.prepare(text).await?;
        prepared.set_is_idempotent(true);
        prepared.set_consistency(self.consistency());
        prepared.set_page_size(i32::try_from(page_rows).unwrap_or(i32::MAX));
        Ok(prepared)
    }

    /// One request, again and again while the cluster says "later" and its time is not up. Whoever waits for the next
    /// attempt keeps its place among the requests under way, so that a cluster in trouble is asked less.
    pub(crate) async fn request<T, F>(&self, what: &str, attempt: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut last = "no answer".to_owned();
        let attempts = async {
            let Ok(_place) = self.0.requests.acquire().await else {
                return Err(StoreError::Unavailable("the store is closed".to_owned()));
            };
            let mut wait = CQL_BACKOFF_MS_MIN;
            loop {
                match attempt().await {
                    Ok(answer) => return Ok(answer),
                    Err(Failure::Never(error)) => return Err(error),
                    Err(Failure::Later(reason)) => last = reason,
                }
                add(&self.0.counters.again, 1);
                tokio::time::sleep(Duration::from_millis(rand::random_range(wait / 2..=wait))).await;
                wait = (wait * 2).min(CQL_BACKOFF_MS_MAX);
            }
        };
        let started = tokio::time::Instant::now();
        let end = match tokio::time::timeout(Duration::from_millis(CQL_REQUEST_MS_MAX), attempts).await {
            Ok(end) => end,
            Err(_) => Err(StoreError::Unavailable(format!("{what}: not within {CQL_REQUEST_MS_MAX} ms: {last}"))),
        };
        if end.is_ok() {
            add(&self.0.counters.answered, 1);
            add(&self.0.counters.answered_us, started.elapsed().as_micros() as u64);
        } else {
            add(&self.0.counters.failed, 1);
        }
        end
    }

    /// A statement of the keyspace as a whole: rare, off every hot path. Sent once, and what it decides by order is decided
    /// by the cluster (`SERIAL`).
    pub(crate) async fn shared(&self, of: Shared, values: impl SerializeRow) -> Result<QueryResult, StoreError> {
        self.once(of.text(&self.0.keyspace), values).await
    }

    pub(crate) async fn once(&self, text: String, values: impl SerializeRow) -> Result<QueryResult, StoreError> {
        let mut statement = Statement::new(text);
        statement.set_consistency(self.consistency());
        statement.set_serial_consistency(Some(SerialConsistency::Serial));
        statement.set_request_timeout(Some(Duration::from_millis(CQL_SCHEMA_MS_MAX)));
        Ok(self.0.session.query_unpaged(statement, values).await.map_err(Failure::from)?)
    }

    /// Learns of tables that were made, so that requests for their rows find the way.
    pub(crate) async fn learn(&self) -> Result<(), StoreError> {
        self.0.session.refresh_metadata().await.map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    /// A number of the keyspace, as the last decided change left it.
    pub(crate) async fn serial(&self, of: Shared, values: impl SerializeRow) -> Result<QueryResult, StoreError> {
        self.serial_text(of.text(&self.0.keyspace), values).await
    }

    pub(crate) async fn serial_text(&self, text: String, values: impl SerializeRow) -> Result<QueryResult, StoreError> {
        let mut statement = Statement::new(text);
        statement.set_consistency(Consistency::Serial);
        Ok(self.0.session.query_unpaged(statement, values).await.map_err(Failure::from)?)
    }
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

fn consistency(local: bool) -> Consistency {
    if local { Consistency::LocalQuorum } else { Consistency::Quorum }
}

/// The node that holds the row is asked (on ScyllaDB its shard, too), then another replica once; nodes of other data centres
/// are not, as their quorum is another.
fn profile(config: &Config) -> ExecutionProfile {
    let mut policy = DefaultPolicy::builder().token_aware(true).permit_dc_failover(false);
    if let Some(datacenter) = &config.datacenter {
        policy = policy.prefer_datacenter(datacenter.clone());
    }
    ExecutionProfile::builder()
        .consistency(consistency(config.datacenter.is_some()))
        .request_timeout(Some(Duration::from_millis(CQL_ATTEMPT_MS_MAX)))
        .load_balancing_policy(policy.build())
        .retry_policy(Arc::new(DefaultRetryPolicy::new()))
        .build()
}

fn tls_context(tls: &Tls) -> Result<TlsContext, ConnectError> {
    let file = |setting: &'static str| {
        move |error: openssl::error::ErrorStack| ConnectError::Invalid { setting, reason: error.to_string() }
    };
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(file("tls"))?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2)).map_err(file("tls"))?;
    if let Some(ca) = &tls.ca {
        // Only these: not the system's beside them.
        let store = openssl::x509::store::X509StoreBuilder::new().map_err(file("tls.ca"))?;
        builder.set_cert_store(store.build());
        builder.set_ca_file(ca).map_err(file("tls.ca"))?;
    }
    if let Some((chain, key)) = &tls.identity {
        builder.set_certificate_chain_file(chain).map_err(file("tls.certificate"))?;
        builder.set_private_key_file(key, SslFiletype::PEM).map_err(file("tls.key"))?;
        builder.check_private_key().map_err(file("tls.key"))?;
    }
    Ok(builder.into())
}

/// Which setting a refused connection is about.
fn refused(config: &Config, error: &NewSessionError) -> ConnectError {
    let (nodes, reason) = (config.nodes.join(", "), error.to_string());
    let NewSessionError::MetadataError(MetadataError::ConnectionPoolError(ConnectionPoolError::Broken {
        last_connection_error: last,
    })) = error
    else {
        return ConnectError::Unreachable { nodes, reason };
    };
    match last {
        ConnectionError::ConnectionSetupRequestError(setup) => match setup.get_error() {
            ConnectionSetupRequestErrorKind::DbError(DbError::AuthenticationError, said) => {
                let user = config.login.as_ref().map(|login| login.user.clone()).unwrap_or_default();
                ConnectError::Refused { user, reason: said.clone() }
            }
            ConnectionSetupRequestErrorKind::MissingAuthentication => ConnectError::NoLogin,
            _ => plain_or_not(config, nodes, last),
        },
        ConnectionError::IoError(io) if reason_of(io).contains("certificate") => {
            ConnectError::Untrusted { reason: reason_of(io) }
        }
        ConnectionError::IoError(io) if config.tls.is_some() && io.kind() == std::io::ErrorKind::Other => {
            ConnectError::Tls { reason: format!("the handshake failed: {}", reason_of(io)) }
        }
        _ => plain_or_not(config, nodes, last),
    }
}

/// A node that speaks TLS hangs up on one who does not.
fn plain_or_not(config: &Config, nodes: String, last: &ConnectionError) -> ConnectError {
    let hint = match (config.tls.is_some(), last) {
        (false, ConnectionError::BrokenConnection(_) | ConnectionError::ConnectionSetupRequestError(_)) => {
            " (tls is not set: does the cluster ask for it?)"
        }
        _ => "",
    };
    ConnectError::Unreachable { nodes, reason: format!("{last}{hint}") }
}

fn reason_of(io: &std::io::Error) -> String {
    let mut reason = io.to_string();
    let mut source = std::error::Error::source(io);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    reason
}
