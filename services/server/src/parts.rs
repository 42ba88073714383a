//! The parts of a server and how they hang together: built against the flow, each supervised.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corral_access::Access;
use corral_domain::limits::{BUILD_LOOK_MS, VAULT_LOOK_MS};
use corral_domain::{Offset, Partition};
use corral_event_log::EventLog;
use corral_hub::Hub;
use corral_ingest::IngestDoor;
use corral_projection::runner::Handles;
use corral_projector::Projector;
use corral_query::{Engine, Options};
use corral_read_store::ReadStore;
use corral_tasks::{Clock, Kind, Shutdown, Tasks};

use crate::config::{Role, Roles};
use crate::current::{CurrentStore, OnDamage};
use crate::rebuild::{Rebuilder, Serving};
use crate::wiring::{Build, Log, Sharing, Stores};

/// How often key uses are written down and ended sessions forgotten.
const ACCESS_FLUSH_SECONDS: u64 = 60;
/// How often a server that catches up looks whether it has.
const READY_LOOK_MS: u64 = 20;

/// The process's parts, in the order in which data walks: those that its roles need.
pub(crate) struct Parts {
    pub(crate) log: Log,
    pub(crate) store: Arc<CurrentStore>,
    pub(crate) ingest: Option<Arc<IngestDoor>>,
    pub(crate) projector: Option<Projector>,
    pub(crate) engine: Option<Engine>,
    pub(crate) rebuilder: Arc<Rebuilder>,
}

/// What parts are made of.
pub(crate) struct Material {
    pub(crate) log: Log,
    /// The same log, with its archive before it.
    pub(crate) reading: Arc<dyn EventLog>,
    pub(crate) stores: Stores,
    pub(crate) build: Build,
    pub(crate) hub: Hub,
    pub(crate) sharing: Sharing,
}

impl Parts {
    pub(crate) fn start(material: Material, roles: &Roles, (clock, tasks): (&Clock, &Tasks)) -> Self {
        let Material { log, reading, stores, build, hub, sharing } = material;
        let identity = log.handle().identity();
        let current = CurrentStore::new(build.id, build.handle(), on_damage(stores.clone(), tasks.clone()));
        let store = Arc::new(current);
        let handles = Handles {
            log: reading.clone(),
            store: store.clone(),
            hub: hub.clone(),
            clock: clock.clone(),
            build: build.id,
            limits: Default::default(),
        };
        log.keep(tasks);
        let serving = Serving { build, stop: Shutdown::new() };
        serving.build.keep(tasks, serving.stop.clone());
        let projector = roles.has(Role::Projector).then(|| Projector::share(handles.clone(), sharing(tasks), tasks));
        let engine = roles.answers().then(|| {
            let options = Options { partitions: identity.partitions, log_epoch: identity.log_epoch };
            let engine = Engine::new(store.clone(), hub.clone(), clock.clone(), options);
            engine.start(tasks);
            engine
        });
        let ingest = roles.has(Role::Ingest).then(|| {
            let handles =
                corral_ingest::door::Handles { log: log.handle(), store: store.clone(), hub, clock: clock.clone() };
            Arc::new(IngestDoor::new(handles))
        });
        let rebuilder = Arc::new(Rebuilder {
            log: reading,
            stores,
            current: store.clone(),
            projector: projector.clone(),
            engine: engine.clone(),
            tasks: tasks.clone(),
            handles: Mutex::new(handles),
            serving: Mutex::new(serving),
            busy: tokio::sync::Mutex::new(()),
        });
        Self { log, store, ingest, projector, engine, rebuilder }
    }
}

/// Nothing of a damaged build is served: it is condemned, and the process ends; the next start makes another. A build that
/// other processes serve too stays, and what cannot be read of it fails: `corral rebuild` makes another.
fn on_damage(stores: Stores, tasks: Tasks) -> OnDamage {
    let seen = AtomicBool::new(false);
    Box::new(move |build, reason| {
        if seen.swap(true, Ordering::Relaxed) {
            return;
        }
        match stores.condemn(build, reason) {
            Ok(false) => {
                tracing::error!(
                    build = build.0,
                    reason,
                    "the read store is damaged: `corral rebuild` makes another build"
                );
                return;
            }
            Ok(true) => {
                tracing::error!(build = build.0, reason, "the read store is damaged: the next start rebuilds it")
            }
            Err(error) => tracing::error!(%error, build = build.0, reason, "the damaged build could not be condemned"),
        }
        tasks.stop(1);
    })
}

/// Follows another process that has switched to another build.
pub(crate) fn keep_following(rebuilder: Arc<Rebuilder>, tasks: &Tasks) {
    let told = tasks.shutdown(Kind::Upkeep);
    tasks.spawn("served build", Kind::Upkeep, async move {
        loop {
            tokio::select! {
                () = told.cancelled() => return Ok(()),
                () = tokio::time::sleep(Duration::from_millis(BUILD_LOOK_MS)) => {}
            }
            match rebuilder.follow().await {
                Ok(true) => {}
                Ok(false) => {
                    // Nobody else can.
                    told.cancelled().await;
                    return Ok(());
                }
                Err(error) => tracing::warn!(%error, "which build is served could not be seen"),
            }
        }
    });
}

/// Writes down uses of keys and forgets sessions that have ended, now and then and at the end.
pub(crate) fn keep_access(access: Arc<Access>, tasks: &Tasks) {
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

/// Sees what other processes have changed in a vault that is shared.
pub(crate) fn keep_looking(access: Arc<Access>, tasks: &Tasks) {
    if !access.is_shared() {
        return;
    }
    let (own, told) = (tasks.clone(), tasks.shutdown(Kind::Upkeep));
    tasks.spawn("vault", Kind::Upkeep, async move {
        loop {
            tokio::select! {
                () = told.cancelled() => return Ok(()),
                () = tokio::time::sleep(Duration::from_millis(VAULT_LOOK_MS)) => {}
            }
            let access = access.clone();
            if let Err(error) = own.run_blocking("look at the vault", move || access.refresh()).await? {
                // Decisions go on as they were seen last.
                tracing::warn!(%error, "the vault was not seen");
            }
        }
    });
}

/// What a process waits for before it is ready, and says while it is not.
#[derive(Clone)]
pub(crate) struct Readiness {
    waits: &'static str,
    stands: Arc<AtomicBool>,
    access: Arc<Access>,
    draining: Shutdown,
}

impl Readiness {
    /// A process that projects and answers is ready once the read store has all that the log held at the start, as nobody
    /// else brings it there. Any other one is as soon as its store answers: how far that lags is for the projectors to say,
    /// and a door that waited for them would make their outage its own.
    pub(crate) fn start(
        (log, store): (Arc<dyn EventLog>, Arc<dyn ReadStore>),
        roles: &Roles,
        access: &Arc<Access>,
        tasks: &Tasks,
    ) -> Self {
        let whole = roles.has(Role::Projector) && roles.answers();
        let waits = match whole {
            true => "the read store is catching up with the event log",
            false => "the read store does not answer",
        };
        let draining = tasks.shutdown(Kind::Door);
        let ready = Self { waits, stands: Arc::default(), access: access.clone(), draining };
        let own = ready.clone();
        tasks.spawn("readiness", Kind::Telemetry, async move {
            for partition in (0..log.identity().partitions).map(Partition) {
                let end = if whole { log.extent(partition).await?.tail } else { Offset::ZERO };
                while !own.draining.is_cancelled() {
                    // A store that cannot answer now is not ready either.
                    let checkpoint = store.checkpoint(partition).await.map(Option::unwrap_or_default);
                    if checkpoint.is_ok_and(|checkpoint| checkpoint.offset >= end || checkpoint.stopped.is_some()) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(READY_LOOK_MS)).await;
                }
            }
            own.stands.store(true, Ordering::Relaxed);
            Ok(())
        });
        ready
    }

    pub(crate) fn unready(&self) -> Vec<String> {
        let mut why = Vec::new();
        if self.draining.is_cancelled() {
            why.push("the server goes".to_owned());
        }
        if !self.stands.load(Ordering::Relaxed) {
            why.push(self.waits.to_owned());
        }
        if self.access.organization().is_none() {
            why.push("there is no owner yet: run `corral owner create`".to_owned());
        }
        why
    }
}
