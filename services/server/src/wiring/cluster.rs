//! Several processes, one log on Kafka, one read store and one vault in keyspaces of a CQL cluster.

use std::sync::Arc;

use async_trait::async_trait;
use corral_access::{Access, AccessError, VaultError};
use corral_domain::BuildId;
use corral_event_log::EventLog;
use corral_event_log_kafka::{KafkaHub, KafkaLog, KafkaSettings, Options, Sasl};
use corral_ownership::{Lease, Ownership, Settings, Timing};
use corral_read_store::StoreError;
use corral_read_store_scylla::schema::SchemaError;
use corral_read_store_scylla::{Builds, Cluster, Replication, ScyllaLeases, ScyllaVault, schema};
use corral_tasks::{Clock, Tasks};

use super::{Backends, Build, Log, OpenError, OpenStore, StoreKeeper};
use crate::config::{ClusterPlaces, Copies, CqlPlace, KafkaLogin, KafkaPlace, Mechanism, TlsFiles};

/// The role that shares partitions out by leases.
const SCOPE: &str = "projector";
/// Copies of a row in a keyspace that is made, unless the configuration says otherwise.
const COPIES: u8 = 3;

pub(super) async fn open(places: &ClusterPlaces, clock: &Clock, tasks: &Tasks) -> Result<Backends, OpenError> {
    // Against the flow: the store, whose schema may be missing, before a log that would be made.
    let cluster = connect(&places.store, &places.store.keyspace).await.map_err(store)?;
    schema::check(&cluster).await.map_err(store)?;
    let access = vault(places, clock, tasks).await?;
    let options = Options { clock: time_of(clock), trace: Some(Arc::new(corral_event_codec::traceparent)) };
    let settings = kafka(&places.log);
    let log = KafkaLog::open(settings.clone(), options).await.map_err(|error| OpenError::Log("log", error))?;
    // What happens between processes happens in real time, whatever a test's clock says.
    let real = Clock::system();
    let hub = KafkaHub::start(&settings, (time_of(&real), tasks)).map_err(|error| OpenError::Log("log", error))?;
    let (partitions, leases) = (log.identity().partitions, cluster.clone());
    let (log, rows) = (Arc::new(log), cluster.clone());
    let appends = log.clone();
    Ok(Backends {
        log: Log::Shared(log),
        stores: Arc::new(SharedStores(Builds::new(cluster))),
        access,
        hub,
        sharing: Box::new(move |tasks| lease(leases, partitions, (&real, tasks))),
        counted: Arc::new(move || [appends.figures().read(), rows.figures().read()].concat()),
    })
}

fn time_of(clock: &Clock) -> corral_event_log::Clock {
    let clock = clock.clone();
    Arc::new(move || clock.now())
}

fn lease(cluster: Cluster, partitions: u16, with: (&Clock, &Tasks)) -> Arc<dyn Ownership> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let address = format!("{host}:{}", std::process::id());
    let settings = Settings { partitions, address, timing: Timing::default() };
    Lease::start(Arc::new(ScyllaLeases::new(cluster, SCOPE)), settings, with)
}

/// The vault that all processes share.
pub(crate) async fn vault(places: &ClusterPlaces, clock: &Clock, tasks: &Tasks) -> Result<Arc<Access>, OpenError> {
    let cluster = connect(&places.store, &places.store.vault).await.map_err(store)?;
    let (vault, clock) = (ScyllaVault::open(cluster).await.map_err(store)?, clock.clone());
    let open = move || Access::shared(Arc::new(vault), clock);
    let opened = tasks.run_blocking("open the vault", open).await.map_err(OpenError::Work)?;
    opened.map(Arc::new).map_err(|error| match error {
        AccessError::Vault(VaultError::Unavailable(reason)) => {
            OpenError::Store("store", StoreError::Unavailable(reason))
        }
        error => OpenError::Access("store", error),
    })
}

/// Makes what is missing of both keyspaces.
pub(crate) async fn schema_apply(place: &CqlPlace) -> Result<String, OpenError> {
    let apply = async {
        let copies = replication(place);
        let made = schema::apply(&connect(place, &place.keyspace).await?, &copies).await?;
        ScyllaVault::apply(&connect(place, &place.vault).await?, &copies).await?;
        Ok(said(place, &made))
    };
    apply.await.map_err(store)
}

/// Changes nothing.
pub(crate) async fn schema_check(place: &CqlPlace) -> Result<String, OpenError> {
    let check = async {
        let found = schema::check(&connect(place, &place.keyspace).await?).await?;
        ScyllaVault::open(connect(place, &place.vault).await?).await?;
        Ok(said(place, &found))
    };
    check.await.map_err(store)
}

fn store(error: SchemaError) -> OpenError {
    OpenError::Store("store", error.into())
}

fn said(place: &CqlPlace, found: &schema::Checked) -> String {
    let CqlPlace { keyspace, vault, .. } = place;
    format!(
        "keyspace {keyspace}: schema version {}, build {} is served; keyspace {vault}: the vault",
        found.version, found.build.0
    )
}

async fn connect(place: &CqlPlace, keyspace: &str) -> Result<Cluster, SchemaError> {
    let login = place.login.as_ref().map(|(user, password)| corral_read_store_scylla::Login {
        user: user.clone(),
        password: password.expose().to_owned(),
    });
    let tls = place.tls.clone().map(|TlsFiles { ca, identity }| corral_read_store_scylla::Tls { ca, identity });
    let config = corral_read_store_scylla::Config {
        nodes: place.nodes.clone(),
        keyspace: keyspace.to_owned(),
        datacenter: place.datacenter.clone(),
        login,
        tls,
    };
    Ok(Cluster::connect(&config).await?)
}

fn replication(place: &CqlPlace) -> Replication {
    match place.replication.clone() {
        None => Replication::Everywhere(COPIES),
        Some(Copies::Everywhere(count)) => Replication::Everywhere(count),
        Some(Copies::Datacenters(each)) => Replication::Datacenters(each),
    }
}

fn kafka(place: &KafkaPlace) -> KafkaSettings {
    let default = KafkaSettings::new(place.brokers.clone(), place.topic.clone());
    let sasl = place.login.clone().map(|login| match login {
        KafkaLogin::Token { file } => Sasl::OauthBearer { token_file: file },
        KafkaLogin::Password { mechanism, user, password } => {
            let login = corral_event_log_kafka::Login { username: user, password: password.expose().to_owned() };
            match mechanism {
                Mechanism::Plain => Sasl::Plain(login),
                Mechanism::ScramSha256 => Sasl::ScramSha256(login),
                Mechanism::ScramSha512 => Sasl::ScramSha512(login),
            }
        }
    });
    KafkaSettings {
        partitions: place.partitions.unwrap_or(default.partitions),
        replicas: place.replicas.unwrap_or(default.replicas),
        create_topics: place.create_topics.unwrap_or(default.create_topics),
        allow_retention: place.allow_retention.unwrap_or(default.allow_retention),
        tls: place.tls.clone().map(|TlsFiles { ca, identity }| corral_event_log_kafka::Tls { ca, client: identity }),
        sasl,
        ..default
    }
}

/// The builds of a keyspace, which other processes may switch too.
struct SharedStores(Builds);

#[async_trait]
impl StoreKeeper for SharedStores {
    async fn current(&self) -> Result<Build, StoreError> {
        let opened = self.0.open_current().await?;
        Ok(Build { id: opened.build, set_aside: None, store: OpenStore::Shared(Arc::new(opened.store)) })
    }

    async fn served(&self) -> Result<Option<BuildId>, StoreError> {
        self.0.current().await
    }

    async fn create(&self) -> Result<Build, StoreError> {
        let id = self.0.unused().await?;
        let store = self.0.create(id).await?;
        Ok(Build { id, set_aside: None, store: OpenStore::Shared(Arc::new(store)) })
    }

    async fn switch(&self, build: &Build) -> Result<(), StoreError> {
        self.0.switch(build.id).await
    }

    async fn remove(&self, build: BuildId) -> Result<(), StoreError> {
        self.0.remove(build).await
    }

    /// One process cannot take a build away from all others; an operator can, by a rebuild.
    fn condemn(&self, _build: BuildId, _reason: &str) -> Result<bool, StoreError> {
        Ok(false)
    }
}
