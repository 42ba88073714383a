//! The builds of a data directory: which there are, which is served, and what happens to one that does not open.
//!
//! ```text
//! <data>/read-store/current      the number of the build that is served; replaced as a whole
//! <data>/read-store/3/           a build
//! <data>/read-store/3/condemned  why it must not be opened again
//! <data>/read-store/opening      attempts at opening that have not ended
//! <data>/read-store/2.aside-0/   one that did not open: kept for whoever wants to know why
//! ```

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use corral_domain::BuildId;
use corral_domain::limits::{STORE_ASIDE_COUNT_MAX, STORE_OPENINGS_COUNT_MAX};
use corral_read_store::StoreError;

use crate::EmbeddedStore;

/// The directory of all builds. Only the process that holds the data directory's lock uses it.
#[derive(Clone, Debug)]
pub struct Builds {
    dir: PathBuf,
}

/// The build that is served.
pub struct Opened {
    pub store: EmbeddedStore,
    pub build: BuildId,
    /// Where the build went that did not open; the store is empty then and is filled by replay.
    pub set_aside: Option<PathBuf>,
}

impl Builds {
    /// Under the data directory; made if it is not there.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let dir = data_dir.join("read-store");
        make_dir(&dir).map_err(|error| at(&dir, error))?;
        Ok(Self { dir })
    }

    /// Opens the build that is served. The first time, and when it does not open any more, that is an empty one.
    pub fn open_current(&self) -> Result<Opened, StoreError> {
        let Some(build) = self.current()? else {
            let build = self.unused()?;
            let store = self.create(build)?;
            self.switch(build)?;
            return Ok(Opened { store, build, set_aside: None });
        };
        let damage = match self.try_open(build) {
            Ok(store) => return Ok(Opened { store, build, set_aside: None }),
            Err(StoreError::Damaged(damage)) => damage,
            Err(error) => return Err(error),
        };
        let aside = self.set_aside(build)?;
        tracing::error!(
            build = build.0, damage, set_aside = %aside.display(),
            "the read store does not open: it is set aside and rebuilt from the event log"
        );
        // The same number: rows and timestamps of the build that was lost are gone with it.
        let store = self.create(build)?;
        Ok(Opened { store, build, set_aside: Some(aside) })
    }

    /// Says that a build which opened has damage that showed when it was read: it is set aside the next time. Call this
    /// and end the process; nothing of a damaged build may be served.
    pub fn condemn(&self, build: BuildId, reason: &str) -> Result<(), StoreError> {
        let path = self.path(build).join(CONDEMNED);
        fs::write(&path, reason).map_err(|error| at(&path, error))
    }

    /// Some damage makes the engine abort the process while it opens, so attempts are counted; an end by a signal counts
    /// too, which is why it takes several.
    fn try_open(&self, build: BuildId) -> Result<EmbeddedStore, StoreError> {
        if let Ok(reason) = fs::read_to_string(self.path(build).join(CONDEMNED)) {
            return Err(StoreError::Damaged(format!("it was condemned: {reason}")));
        }
        let path = self.dir.join(OPENING);
        let attempts: u32 = fs::read_to_string(&path).ok().and_then(|text| text.trim_end().parse().ok()).unwrap_or(0);
        let opened = if attempts < STORE_OPENINGS_COUNT_MAX {
            fs::write(&path, (attempts + 1).to_string()).map_err(|error| at(&path, error))?;
            EmbeddedStore::open(&self.path(build), build)
        } else {
            Err(StoreError::Damaged(format!("the process ended {attempts} times while opening it")))
        };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path, error)),
            _ => opened,
        }
    }

    /// The build that is served; `None` before the first.
    pub fn current(&self) -> Result<Option<BuildId>, StoreError> {
        let path = self.dir.join(CURRENT);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&path, error)),
        };
        match text.trim_end().parse() {
            Ok(build) => Ok(Some(BuildId(build))),
            Err(_) => {
                // Derived state: any build will do, and none is worth a server that does not start.
                tracing::error!(path = %path.display(), "does not name a build: starting a new one");
                Ok(None)
            }
        }
    }

    /// Makes an empty build beside the others; what a rebuild that was cut short left under this number is removed.
    pub fn create(&self, build: BuildId) -> Result<EmbeddedStore, StoreError> {
        self.remove_dir(build)?;
        let path = self.path(build);
        make_dir(&path).map_err(|error| at(&path, error))?;
        let store = EmbeddedStore::open(&path, build)?;
        sync_dir(&self.dir).map_err(|error| at(&self.dir, error))?;
        Ok(store)
    }

    /// From now on `build` is served: after a crash it is this one or the one before, never neither.
    pub fn switch(&self, build: BuildId) -> Result<(), StoreError> {
        let (path, temporary) = (self.dir.join(CURRENT), self.dir.join("current.new"));
        let write = || -> io::Result<()> {
            let mut file =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
            writeln!(file, "{}", build.0)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            sync_dir(&self.dir)
        };
        write().map_err(|error| at(&path, error))
    }

    /// Removes a build that is not served.
    pub fn remove(&self, build: BuildId) -> Result<(), StoreError> {
        if self.current()? == Some(build) {
            return Err(StoreError::Invalid(format!("build {} is being served", build.0)));
        }
        self.remove_dir(build)
    }

    /// The builds that have a directory, lowest first.
    pub fn list(&self) -> Result<Vec<BuildId>, StoreError> {
        let mut builds: Vec<_> = self.names()?.iter().filter_map(|name| name.parse().ok()).map(BuildId).collect();
        builds.sort_unstable();
        Ok(builds)
    }

    /// A number above every build's that is there, for the next rebuild.
    pub fn unused(&self) -> Result<BuildId, StoreError> {
        let highest = self.list()?.last().copied().max(self.current()?);
        Ok(BuildId(highest.map_or(1, |build| build.0.saturating_add(1))))
    }

    fn path(&self, build: BuildId) -> PathBuf {
        self.dir.join(build.0.to_string())
    }

    fn names(&self) -> Result<Vec<String>, StoreError> {
        let read = || -> io::Result<Vec<String>> {
            let names = fs::read_dir(&self.dir)?.map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default()));
            names.collect()
        };
        read().map_err(|error| at(&self.dir, error))
    }

    fn remove_dir(&self, build: BuildId) -> Result<(), StoreError> {
        let path = self.path(build);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path, error)),
            _ => Ok(()),
        }
    }

    /// Keeps the newest few, so that a disk which damages everything is not filled as well.
    fn set_aside(&self, build: BuildId) -> Result<PathBuf, StoreError> {
        let mut aside: Vec<(u32, String)> = self
            .names()?
            .into_iter()
            .filter_map(|name| Some((name.split_once(".aside-")?.1.parse().ok()?, name)))
            .collect();
        aside.sort_unstable();
        let next = aside.last().map_or(0, |(number, _)| number + 1);
        let surplus = (aside.len() + 1).saturating_sub(STORE_ASIDE_COUNT_MAX);
        for (_, name) in aside.drain(..surplus) {
            let path = self.dir.join(name);
            fs::remove_dir_all(&path).map_err(|error| at(&path, error))?;
        }
        let path = self.dir.join(format!("{}.aside-{next}", build.0));
        fs::rename(self.path(build), &path).map_err(|error| at(&path, error))?;
        Ok(path)
    }
}

const CURRENT: &str = "current";
const OPENING: &str = "opening";
const CONDEMNED: &str = "condemned";

/// 0700: rows are as private as the log.
fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn at(path: &Path, error: io::Error) -> StoreError {
    StoreError::Unavailable(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
