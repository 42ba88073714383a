//! `corral serve`: start against the flow (store, log, projector, query, doors last), shut down along it.
//!
//! The port is bound first, so that a second server fails before it does anything; connections wait in the port's queue
//! until the doors open. What each task's end means, and in which order they are drained, is `corral_tasks`' to say.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use corral_access::{Access, AccessError, Secret};
use corral_credentials::{Credentials, CredentialsError};
use corral_domain::Actor;
use corral_domain::limits::NOT_BEFORE_WAIT_MS_MAX;
use corral_event_log::LogError;
use corral_query_service::Questions;
use corral_read_store::StoreError;
use corral_tasks::{Clock, Kind, TaskError, Tasks};
use corral_web::gate::Gate;
use corral_web::ops::Ops;
use corral_web::route::{Declared, Routes};
use corral_web::session::Sessions;
use tokio::net::TcpListener;

use crate::admin::Admin;
use crate::announce::Announcement;
use crate::config::Config;
use crate::front::Front;
use crate::log_show::LogShow;
use crate::parts::{Parts, Readiness, keep_access};
use crate::routes::{Doors, RoutesError, routes};
use crate::wiring::{Build, Log, Stores};
use crate::{figures, listen};

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("listen: {address} cannot be bound: {source}")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("data_dir: {0}")]
    InUse(String),
    #[error("data_dir: {0}")]
    Log(LogError),
    #[error("data_dir: {0}")]
    Store(#[from] StoreError),
    #[error("data_dir: {0}")]
    Access(#[from] AccessError),
    #[error("data_dir: {path}: {source}", path = .path.display())]
    DataDir { path: PathBuf, source: io::Error },
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
    data_dir: PathBuf,
    access: Arc<Access>,
    tasks: Tasks,
    owner: Actor,
    routes: Vec<Declared>,
    /// Where the owner's key was written, if this was the first start.
    key_written_to: Option<PathBuf>,
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
        let mut running = Self {
            page_url: config.public_url.clone().unwrap_or_else(|| announcement.url.clone()),
            data_dir: config.data_dir.clone(),
            access: opened.access.clone(),
            tasks: tasks.clone(),
            announcement,
            owner,
            routes: Vec::new(),
            key_written_to,
        };
        let routes = start_services(config, opened, clock, &tasks, address).await?;
        running.routes = routes.declared();
        listen::start(listener, (Front::new(config), routes.build()), &tasks);
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
    pub fn key_written_to(&self) -> Option<&Path> {
        self.key_written_to.as_deref()
    }

    /// Every route that it serves, with its permission.
    pub fn routes(&self) -> &[Declared] {
        &self.routes
    }

    /// Who may do what.
    pub fn access(&self) -> &Access {
        &self.access
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
        let log = Log::open(&dir, clock.clone()).map_err(|error| match error {
            LogError::Unavailable(who) => StartError::InUse(who),
            error => StartError::Log(error),
        })?;
        let stores = Stores::open(&dir)?;
        let build = stores.current()?;
        stores.remove_others()?;
        let access = Arc::new(Access::open(&dir.join("vault"), clock)?);
        Ok(Opened { log, stores, build, access })
    };
    tasks.run_blocking("open the data directory", open).await.map_err(StartError::Work)?
}

/// Where there is no owner yet: makes one, and writes its key where clients of this machine look for it.
fn first_start(config: &Config, access: &Access, announcement: &Announcement) -> Result<Option<PathBuf>, AccessError> {
    let hand_over = |key: &Secret| {
        let path = config.credentials.as_deref().ok_or(CredentialsError::NoPlace)?;
        Credentials::change(path, |credentials| {
            credentials.set(&announcement.url, key.clone())?;
            config.public_url.as_ref().map_or(Ok(()), |url| credentials.set(url, key.clone()))
        })
    };
    let made = access.first_start(hand_over)?;
    Ok(made.and_then(|_| config.credentials.clone()))
}

async fn start_services(
    config: &Config,
    opened: Opened,
    clock: Clock,
    tasks: &Tasks,
    address: SocketAddr,
) -> Result<Routes, StartError> {
    let Opened { log, stores, build, access } = opened;
    let Parts { log, store, ingest, projector, engine, rebuilder } = Parts::start(log, stores, build, (&clock, tasks));
    keep_access(access.clone(), tasks);
    let ready = Readiness::start(log.handle(), store.clone(), tasks);
    let gate = Arc::new(Gate::new(access.clone(), config.hosts.clone(), address.port()));
    let questions = Questions::new(engine.clone());
    let sessions = Sessions { engine, access, tasks: tasks.clone(), clock: clock.clone(), living: Arc::default() };
    let log_show = LogShow { log: log.handle(), store, wait_ms_max: NOT_BEFORE_WAIT_MS_MAX };
    let figures = figures::Figures {
        log,
        ingest: ingest.clone(),
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
        questions,
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
    Ok(routes)
}

/// The routes of a server that does not listen, and its owner's key.
#[cfg(test)]
pub(crate) async fn routes_alone(config: &Config, tasks: &Tasks) -> Routes {
    let opened = open(config, &Clock::system(), tasks).await.expect("a data directory");
    let address = "127.0.0.1:4870".parse().expect("an address");
    first_start(config, &opened.access, &Announcement::new(address)).expect("an owner");
    start_services(config, opened, Clock::system(), tasks, address).await.expect("services")
}

#[cfg(test)]
mod tests;
