//! One process, one data directory.
//!
//! ```text
//! <data>/log/          the event log; its lock is the lock of the whole data directory
//! <data>/read-store/   the builds
//! <data>/vault/        keys, as hashes
//! <data>/server.json   who serves it now
//! ```

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use corral_access::Access;
use corral_domain::{BuildId, LogEpoch};
use corral_event_log::LogError;
use corral_event_log_embedded::EmbeddedLog;
use corral_hub::Hub;
use corral_ownership::Fixed;
use corral_read_store::StoreError;
use corral_read_store_embedded::Builds;
use corral_tasks::{Clock, Tasks};

use super::{Backends, Build, Log, OpenError, OpenStore, StoreKeeper};

pub(super) async fn open(data_dir: &Path, clock: &Clock, tasks: &Tasks) -> Result<Backends, OpenError> {
    let (dir, clock, own) = (data_dir.to_owned(), clock.clone(), tasks.clone());
    let open = move || {
        // The log first: its lock is the directory's.
        let log = EmbeddedLog::open_dir(&dir.join("log"), of(&clock)).map_err(|error| match error {
            LogError::Unavailable(who) => OpenError::InUse(who),
            error => OpenError::Log("data_dir", error),
        })?;
        let store = |error| OpenError::Store("data_dir", error);
        let builds = Builds::open(&dir).map_err(store)?;
        remove_others(&builds).map_err(store)?;
        let access = Access::open(&dir.join("vault"), clock).map_err(|error| OpenError::Access("data_dir", error))?;
        let partitions = corral_event_log::EventLog::identity(&log).partitions;
        Ok(Backends {
            log: Log::Embedded(Arc::new(log)),
            stores: Arc::new(EmbeddedStores { builds, tasks: own }),
            access: Arc::new(access),
            hub: Hub::new(),
            sharing: Box::new(move |_| Arc::new(Fixed::all(partitions))),
            counted: Arc::new(Vec::new),
        })
    };
    tasks.run_blocking("open the data directory", open).await.map_err(OpenError::Work)?
}

/// The log of a data directory alone, as long as nobody else has it. Blocks.
pub(crate) fn log_alone(data_dir: &Path, clock: &Clock) -> Result<Log, LogError> {
    Ok(Log::Embedded(Arc::new(EmbeddedLog::open_dir(&data_dir.join("log"), of(clock))?)))
}

/// Says that the directory was put back from a backup; its read models are made anew by the next start. Blocks.
pub(crate) fn restored(data_dir: &Path, clock: &Clock) -> Result<LogEpoch, LogError> {
    let forget = || match std::fs::remove_dir_all(data_dir.join("read-store")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    Ok(EmbeddedLog::restored_dir(&data_dir.join("log"), &of(clock), forget)?.log_epoch)
}

fn of(clock: &Clock) -> corral_event_log::Clock {
    let clock = clock.clone();
    Arc::new(move || clock.now())
}

/// Removes what rebuilds have left behind: every build but the one that is served.
fn remove_others(builds: &Builds) -> Result<(), StoreError> {
    let current = builds.current()?;
    for build in builds.list()?.into_iter().filter(|build| Some(*build) != current) {
        builds.remove(build)?;
    }
    Ok(())
}

/// The builds of a data directory, whose lock is held. Its calls block, so they go to threads for that.
struct EmbeddedStores {
    builds: Builds,
    tasks: Tasks,
}

impl EmbeddedStores {
    async fn blocking<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce(&Builds) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let builds = self.builds.clone();
        let done = self.tasks.run_blocking(name, move || work(&builds)).await;
        done.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
    }
}

#[async_trait]
impl StoreKeeper for EmbeddedStores {
    async fn current(&self) -> Result<Build, StoreError> {
        let opened = self.blocking("open the read store", |builds| builds.open_current()).await?;
        let store = OpenStore::Embedded(Arc::new(opened.store));
        Ok(Build { id: opened.build, set_aside: opened.set_aside, store })
    }

    async fn served(&self) -> Result<Option<BuildId>, StoreError> {
        Ok(None)
    }

    async fn create(&self) -> Result<Build, StoreError> {
        let make = |builds: &Builds| {
            let id = builds.unused()?;
            Ok((id, builds.create(id)?))
        };
        let (id, store) = self.blocking("make a build", make).await?;
        Ok(Build { id, set_aside: None, store: OpenStore::Embedded(Arc::new(store)) })
    }

    async fn switch(&self, build: &Build) -> Result<(), StoreError> {
        let (id, store) = (build.id, build.store.clone());
        let switch = move |builds: &Builds| {
            if let OpenStore::Embedded(store) = store {
                store.persist()?;
            }
            builds.switch(id)
        };
        self.blocking("switch to the new build", switch).await
    }

    async fn remove(&self, build: BuildId) -> Result<(), StoreError> {
        self.blocking("remove a build", move |builds| builds.remove(build)).await
    }

    fn condemn(&self, build: BuildId, reason: &str) -> Result<bool, StoreError> {
        self.builds.condemn(build, reason).map(|()| true)
    }
}
