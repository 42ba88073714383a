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
use corral_archive::ArchiveError;
use corral_credentials::{Credentials, CredentialsError};
use corral_domain::limits::NOT_BEFORE_WAIT_MS_MAX;
use corral_push::PushDoor;
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
use crate::archive::Kept;
use crate::config::{Config, Role};
use crate::front::Front;
use crate::log_show::LogShow;
use crate::parts::{Material, Parts, Readiness, keep_access, keep_following, keep_looking};
use crate::routes::{Doors, RoutesError, routes};
use crate::wiring::{Backends, OpenError};
use crate::{figures, listen, wiring};

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("listen: {address} cannot be bound: {source}")]
    Bind { address: SocketAddr, source: io::Error },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("store: {0}")]
    Store(#[from] StoreError),
    #[error("data_dir: {0}")]
    Access(#[from] AccessError),
    #[error("bootstrap_key_file: {path}: {reason}", path = .path.display())]
    Bootstrap { path: PathBuf, reason: String },
    #[error("data_dir: {path}: {source}", path = .path.display())]
    DataDir { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Routes(#[from] RoutesError),
    #[error("{0}")]
    Work(TaskError),
    #[error("blobs: {0}")]
    Archive(#[from] ArchiveError),
}

/// A server that runs in this process.
pub struct Running {
    announcement: Announcement,
    /// How people reach it: the public URL where there is one.
    page_url: String,
    data_dir: PathBuf,
    access: Arc<Access>,
    tasks: Tasks,
    routes: Vec<Declared>,
    /// Where the owner's key was written, if this was the first start.
    key_written_to: Option<PathBuf>,
}

impl Running {
    /// Returns once the doors are open and `server.json` says where. Signals are the caller's affair.
    pub async fn start(config: &Config, clock: Clock, tasks: Tasks) -> Result<Self, StartError> {
        let bind = |source| StartError::Bind { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let announcement = Announcement::new(address);
        let backends = wiring::open(config, &clock, &tasks).await?;
        let key_written_to = first_start(config, &backends.access, (&announcement, &tasks)).await?;
        let mut running = Self {
            page_url: config.public_url.clone().unwrap_or_else(|| announcement.url.clone()),
            data_dir: config.data_dir.clone(),
            access: backends.access.clone(),
            tasks: tasks.clone(),
            announcement,
            routes: Vec::new(),
            key_written_to,
        };
        let routes = start_services(config, backends, (&clock, &tasks), address).await?;
        running.routes = routes.declared();
        listen::start(listener, (Front::new(config), routes.build()), &tasks);
        if config.places.is_embedded() {
            let announced = running.announcement.write(&config.data_dir);
            announced.map_err(|source| StartError::DataDir { path: config.data_dir.clone(), source })?;
        }
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
        let owner = self.access.organization().ok_or(AccessError::NotStarted)?.owner;
        let token = self.access.login_token(owner)?;
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

/// Where there is no owner yet: one process makes one, and writes its key where clients of this machine look for it. Processes
/// that share a vault make none by themselves, save with a key that they were given.
async fn first_start(
    config: &Config,
    access: &Arc<Access>,
    (announcement, tasks): (&Announcement, &Tasks),
) -> Result<Option<PathBuf>, StartError> {
    if let Some(path) = config.bootstrap_key_file.clone() {
        let (access, file) = (access.clone(), path.clone());
        let begin = move || {
            let key = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
            access.first_start_with(key.trim()).map_err(|error| error.to_string())
        };
        let begun = tasks.run_blocking("make the owner", begin).await.map_err(StartError::Work)?;
        begun.map_err(|reason| StartError::Bootstrap { path, reason })?;
        return Ok(None);
    }
    if access.is_shared() {
        return Ok(None);
    }
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
    backends: Backends,
    (clock, tasks): (&Clock, &Tasks),
    address: SocketAddr,
) -> Result<Routes, StartError> {
    let Backends { log, stores, access, hub, sharing, counted } = backends;
    let build = stores.current().await?;
    let kept = Kept::open(config, &log).await?;
    let reading = kept.reading()?;
    let material = Material { log, reading: reading.clone(), stores, build, hub: hub.clone(), sharing };
    let Parts { log, store, ingest, projector, engine, rebuilder } =
        Parts::start(material, &config.roles, (clock, tasks));
    keep_access(access.clone(), tasks);
    keep_looking(access.clone(), tasks);
    keep_following(rebuilder.clone(), tasks);
    let ready = Readiness::start((log.handle(), store.clone()), &config.roles, &access, tasks);
    let gate = Arc::new(Gate::new(access.clone(), config.hosts.clone(), address.port()));
    let living = Arc::default();
    let sessions = |engine| Sessions {
        engine,
        access: access.clone(),
        tasks: tasks.clone(),
        clock: clock.clone(),
        living: Arc::clone(&living),
    };
    let web = engine.clone().filter(|_| config.roles.has(Role::Web)).map(sessions);
    let archiver = kept.start(config, store.clone(), (clock, tasks));
    let push = ingest.as_ref().map(|_| Arc::new(PushDoor::new(kept.log.clone(), store.clone())));
    let log_show = LogShow { log: reading, store, wait_ms_max: NOT_BEFORE_WAIT_MS_MAX };
    let admin = Admin { rebuilder: rebuilder.clone(), log_show, tasks: tasks.clone() };
    let figures = figures::Figures {
        log,
        ingest: ingest.clone(),
        gate: gate.clone(),
        sessions: web.is_some().then(|| living.clone()),
        projector: projector.clone(),
        archiver,
        push: push.clone(),
        rebuilder,
        hub,
        counted,
        clock: clock.clone(),
    };
    let doors = Doors {
        admin: projector.map(|_| admin),
        gate,
        ingest,
        push,
        questions: engine.map(Questions::new),
        sessions: web,
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
    let clock = Clock::system();
    let backends = wiring::open(config, &clock, tasks).await.expect("a data directory");
    let address = "127.0.0.1:4870".parse().expect("an address");
    let announcement = Announcement::new(address);
    first_start(config, &backends.access, (&announcement, tasks)).await.expect("an owner");
    start_services(config, backends, (&clock, tasks), address).await.expect("services")
}

#[cfg(test)]
mod tests;
