//! The parts of a server and how they hang together: built against the flow, each supervised.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corral_access::Access;
use corral_domain::Partition;
use corral_event_log::EventLog;
use corral_hub::Hub;
use corral_ingest::IngestDoor;
use corral_projection::runner::Handles;
use corral_projector::Projector;
use corral_query::{Engine, Options};
use corral_read_store::ReadStore;
use corral_tasks::{Clock, Kind, Shutdown, Tasks};

use crate::current::{CurrentStore, OnDamage};
use crate::rebuild::{Rebuilder, Serving};
use crate::wiring::{Build, Log, Stores};

/// How often key uses are written down and ended sessions forgotten.
const ACCESS_FLUSH_SECONDS: u64 = 60;
/// How often a server that catches up looks whether it has.
const READY_LOOK_MS: u64 = 20;

/// The process's parts, in the order in which data walks.
pub(crate) struct Parts {
    pub(crate) log: Log,
    pub(crate) store: Arc<CurrentStore>,
    pub(crate) ingest: Arc<IngestDoor>,
    pub(crate) projector: Projector,
    pub(crate) engine: Engine,
    pub(crate) rebuilder: Arc<Rebuilder>,
}

impl Parts {
    pub(crate) fn start(log: Log, stores: Stores, build: Build, (clock, tasks): (&Clock, &Tasks)) -> Self {
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
        let door = corral_ingest::door::Handles { log: log.handle(), store: store.clone(), hub, clock: clock.clone() };

        log.keep(tasks);
        let serving = Serving { build, stop: Shutdown::new() };
        serving.build.keep(tasks, serving.stop.clone());
        let projector = Projector::start(handles.clone(), tasks);
        engine.start(tasks);
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
        Self { log, store, ingest: Arc::new(IngestDoor::new(door)), projector, engine, rebuilder }
    }
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

/// A server is ready once the read store has all that the log held at the start, and until it drains.
#[derive(Clone)]
pub(crate) struct Readiness {
    caught_up: Arc<AtomicBool>,
    draining: Shutdown,
}

impl Readiness {
    pub(crate) fn start(log: Arc<dyn EventLog>, store: Arc<dyn ReadStore>, tasks: &Tasks) -> Self {
        let ready = Self { caught_up: Arc::default(), draining: tasks.shutdown(Kind::Door) };
        let own = ready.clone();
        tasks.spawn("readiness", Kind::Telemetry, async move {
            for partition in (0..log.identity().partitions).map(Partition) {
                let end = log.extent(partition).await?.tail;
                while !own.draining.is_cancelled() {
                    // A store that cannot answer now is not ready either.
                    let checkpoint = store.checkpoint(partition).await.ok().flatten().unwrap_or_default();
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

    pub(crate) fn unready(&self) -> Vec<String> {
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
