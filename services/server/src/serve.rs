//! `corral serve`: start against the flow (store, log, projector, query, doors last), shut down along it.
//!
//! The port is bound first, so that a second server fails before it does anything; connections wait in the port's queue
//! until the doors open. What each task's end means, and in which order they are drained, is `corral_tasks`' to say.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corral_access::{Access, AccessError, Secret};
use corral_credentials::{Credentials, CredentialsError};
use corral_domain::{Actor, Partition};
use corral_event_log::{EventLog, LogError};
use corral_hub::Hub;
use corral_ingest::IngestDoor;
use corral_projection::runner::Handles;
use corral_projector::Projector;
use corral_query::{Engine, Options};
use corral_query_service::Questions;
use corral_read_store::{ReadStore, StoreError};
use corral_tasks::{Clock, Kind, Shutdown, TaskError, Tasks};
use corral_web::gate::Gate;
use corral_web::ops::Ops;
use corral_web::session::Sessions;
use tokio::net::TcpListener;

use crate::admin::Admin;
use crate::announce::Announcement;
use crate::config::Config;
use crate::current::{CurrentStore, OnDamage};
use crate::log_show::LogShow;
use crate::rebuild::{Rebuilder, Serving};
use crate::routes::{Doors, RoutesError, routes};
use crate::wiring::{Build, Log, Stores};
use crate::{figures, listen};

/// How often key uses are written down and ended sessions forgotten.
const ACCESS_FLUSH_SECONDS: u64 = 60;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("listen: {address} cannot be bound: {source}")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("data_dir: {0}")]
    Log(#[from] LogError),
    #[error("data_dir: {0}")]
    Store(#[from] StoreError),
    #[error("data_dir: {0}")]
    Access(#[from] AccessError),
    #[error("data_dir: {path}: {source}", path = .path.display())]
    DataDir { path: std::path::PathBuf, source: io::Error },
    #[error(transparent)]
    Routes(#[from] RoutesError),
    #[error("{0}")]
    Work(TaskError),
}

/// A server that runs in this process.
pub struct Running {
    announcement: Announcement,
    /// How people reach it: the public URL where there is one.
    page_url: String,
    data_dir: std::path::PathBuf,
    access: Arc<Access>,
    tasks: Tasks,
    owner: Actor,
    /// Where the owner's key was written, if this was the first start.
    key_written_to: Option<std::path::PathBuf>,
}

/// What a data directory holds, open.
struct Opened {
    log: Log,
    stores: Stores,
    build: Build,
    access: Arc<Access>,
}

impl Running {
    /// Returns once the doors are open and `server.json` says where. Signals are the caller's affair.
    pub async fn start(config: &Config, clock: Clock, tasks: Tasks) -> Result<Self, StartError> {
        let bind = |source| StartError::Bind { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let announcement = Announcement::new(address);
        let opened = open(config, &clock, &tasks).await?;
        let key_written_to = first_start(config, &opened.access, &announcement)?;
        let owner = opened.access.organization().ok_or(AccessError::NotStarted)?.owner;
        let running = Self {
            page_url: config.public_url.clone().unwrap_or_else(|| announcement.url.clone()),
            data_dir: config.data_dir.clone(),
            access: opened.access.clone(),
            tasks: tasks.clone(),
            announcement,
            owner,
            key_written_to,
        };
        let router = start_services(config, opened, clock, &tasks, address).await?;
        listen::start(listener, router, &tasks);
        let announced = running.announcement.write(&config.data_dir);
        announced.map_err(|source| StartError::DataDir { path: config.data_dir.clone(), source })?;
        Ok(running)
    }

    /// Where programs of this machine reach it.
    pub fn url(&self) -> &str {
        &self.announcement.url
    }

    pub fn address(&self) -> SocketAddr {
        self.announcement.address
    }

    /// Where the first start wrote the owner's key.
    pub fn key_written_to(&self) -> Option<&std::path::Path> {
        self.key_written_to.as_deref()
    }

    /// A link that signs the owner in, once, within a quarter of an hour.
    pub fn login_link(&self) -> Result<String, AccessError> {
        let token = self.access.login_token(self.owner.clone())?;
        Ok(format!("{}/login#{}", self.page_url, token.expose()))
    }

    /// Waits until the process is asked to stop or must, then drains; says how to exit.
    pub async fn wait(self) -> ExitCode {
        let code = self.tasks.run().await;
        self.announcement.remove(&self.data_dir);
        code
    }

    /// Asks it to stop, and waits.
    pub async fn shutdown(self) -> ExitCode {
        self.tasks.stop(0);
        self.wait().await
    }
}

async fn open(config: &Config, clock: &Clock, tasks: &Tasks) -> Result<Opened, StartError> {
    let (dir, clock) = (config.data_dir.clone(), clock.clone());
    let open = move || {
        // The log first: its lock is the directory's.
        let log = Log::open(&dir, clock.clone())?;
        let stores = Stores::open(&dir)?;
        let build = stores.current()?;
        stores.remove_others()?;
        let access = Arc::new(Access::open(&dir.join("vault"), clock)?);
        Ok(Opened { log, stores, build, access })
    };
    tasks.run_blocking("open the data directory", open).await.map_err(StartError::Work)?
}

/// Where there is no owner yet: makes one, and writes its key where clients of this machine look for it.
fn first_start(
    config: &Config,
    access: &Access,
    announcement: &Announcement,
) -> Result<Option<std::path::PathBuf>, AccessError> {
    let hand_over = |key: &Secret| {
        let path = config.credentials.as_deref().ok_or(CredentialsError::NoPlace)?;
        Credentials::change(path, |credentials| {
            credentials.set(&announcement.url, key.clone())?;
            config.public_url.as_ref().map_or(Ok(()), |url| credentials.set(url, key.clone()))
        })
    };
    let made = access.first_start(hand_over)?;
    Ok(made.and(config.credentials.clone()))
}

async fn start_services(
    config: &Config,
    opened: Opened,
    clock: Clock,
    tasks: &Tasks,
    address: SocketAddr,
) -> Result<axum::Router, StartError> {
    let Opened { log, stores, build, access } = opened;
    let (hub, identity) = (Hub::new(), log.handle().identity());
    let current = CurrentStore::new(build.id, build.handle(), on_damage(stores.clone(), tasks.clone()));
    let store = Arc::new(current);
    let handles = Handles {
        log: log.handle(),
        store: store.clone(),
        hub: hub.clone(),
        clock: clock.clone(),
        build: build.id,
        limits: Default::default(),
    };
    let options = Options { partitions: identity.partitions, log_epoch: identity.log_epoch };
    let engine = Engine::new(store.clone(), hub.clone(), clock.clone(), options);
    let ingest = corral_ingest::door::Handles { log: log.handle(), store: store.clone(), hub, clock: clock.clone() };
    let ingest = Arc::new(IngestDoor::new(ingest));

    log.keep(tasks);
    let serving = Serving { build, stop: Shutdown::new() };
    serving.build.keep(tasks, serving.stop.clone());
    let projector = Projector::start(handles.clone(), tasks);
    engine.start(tasks);
    keep_access(access.clone(), tasks);
    let ready = Readiness::start(log.handle(), store.clone(), tasks);
    let rebuilder = Arc::new(Rebuilder {
        log: log.handle(),
        stores,
        current: store.clone(),
        projector: projector.clone(),
        engine: engine.clone(),
        tasks: tasks.clone(),
        handles: Mutex::new(handles),
        serving: Mutex::new(serving),
        busy: tokio::sync::Mutex::new(()),
    });
    let gate = Arc::new(Gate::new(access.clone(), config.hosts.clone(), address.port()));
    let sessions =
        Sessions { engine: engine.clone(), access, tasks: tasks.clone(), clock: clock.clone(), living: Arc::default() };
    let log_show = LogShow { log: log.handle(), store };
    let figures = figures::Figures {
        log,
        ingest: ingest.counters(),
        gate: gate.clone(),
        sessions: sessions.living.clone(),
        projector,
        rebuilder: rebuilder.clone(),
        clock,
    };
    let doors = Doors {
        admin: Admin { rebuilder, log_show, tasks: tasks.clone() },
        gate,
        ingest,
        questions: Questions::new(engine),
        sessions,
        ops: Ops { unready: Arc::new(move || ready.unready()), figures: Arc::new(move || figures.text()) },
        tasks: tasks.clone(),
    };
    let (routes, health) = routes(&doors).await?;
    let told = tasks.shutdown(Kind::Door);
    tasks.spawn("health", Kind::Telemetry, async move {
        told.cancelled().await;
        health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
        Ok(())
    });
    Ok(routes.build())
}

/// Nothing of a damaged build is served: it is condemned, and the process ends; the next start makes another.
fn on_damage(stores: Stores, tasks: Tasks) -> OnDamage {
    let seen = AtomicBool::new(false);
    Box::new(move |build, reason| {
        if seen.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::error!(build = build.0, reason, "the read store is damaged: the next start rebuilds it");
        if let Err(error) = stores.condemn(build, reason) {
            tracing::error!(%error, "the damaged build could not be condemned");
        }
        tasks.stop(1);
    })
}

/// Writes down uses of keys and forgets sessions that have ended, now and then and at the end.
fn keep_access(access: Arc<Access>, tasks: &Tasks) {
    let (own, told) = (tasks.clone(), tasks.shutdown(Kind::Upkeep));
    tasks.spawn("access upkeep", Kind::Upkeep, async move {
        loop {
            tokio::select! {
                () = told.cancelled() => {}
                () = tokio::time::sleep(Duration::from_secs(ACCESS_FLUSH_SECONDS)) => {}
            }
            let access = access.clone();
            if let Err(error) = own.run_blocking("flush the vault", move || access.flush()).await? {
                // Last uses only: the next turn tries again.
                tracing::warn!(%error, "uses of keys could not be written down");
            }
            if told.is_cancelled() {
                return Ok(());
            }
        }
    });
}

/// A server is ready once the read store has all that the log held at the start, and until it drains.
#[derive(Clone)]
struct Readiness {
    caught_up: Arc<AtomicBool>,
    draining: Shutdown,
}

impl Readiness {
    fn start(log: Arc<dyn EventLog>, store: Arc<dyn ReadStore>, tasks: &Tasks) -> Self {
        let ready = Self { caught_up: Arc::default(), draining: tasks.shutdown(Kind::Door) };
        let own = ready.clone();
        tasks.spawn("readiness", Kind::Telemetry, async move {
            for partition in (0..log.identity().partitions).map(Partition) {
                let end = log.extent(partition).await?.tail;
                while !own.draining.is_cancelled() {
                    let checkpoint = store.checkpoint(partition).await?.unwrap_or_default();
                    if checkpoint.offset >= end || checkpoint.stopped.is_some() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(READY_LOOK_MS)).await;
                }
            }
            own.caught_up.store(true, Ordering::Relaxed);
            Ok(())
        });
        ready
    }

    fn unready(&self) -> Vec<String> {
        let mut why = Vec::new();
        if self.draining.is_cancelled() {
            why.push("the server goes".to_owned());
        }
        if !self.caught_up.load(Ordering::Relaxed) {
            why.push("the read store is catching up with the event log".to_owned());
        }
        why
    }
}

const READY_LOOK_MS: u64 = 20;
