//! Opening, changing and hashing.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use sha2::Sha256;

use crate::records::Contents;
use crate::storage::{Entries, VaultStorage};
use crate::{entry, file};

/// HMAC-SHA-256 under the server's secret.
pub type Hash = [u8; 32];

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    /// Ground state: nothing is made anew over it.
    #[error("{path}: {reason}; restore it from a backup, or move it away to begin without keys")]
    Damaged { path: PathBuf, reason: String },
    /// A shared vault's storage cannot answer now: come back later. A change may have been made.
    #[error("the vault cannot be reached: {0}")]
    Unavailable(String),
    /// A shared vault's entries are not what this program reads; nothing is made anew over them.
    #[error("the vault: {0}; restore it from a backup")]
    Entry(String),
    #[error("the operating system gives no random numbers: {0}")]
    Random(String),
}

/// The vault of one organization.
pub struct Vault {
    place: Place,
    secret: [u8; 32],
    held: Mutex<Held>,
    /// Held by whoever changes or looks; what is held can be read meanwhile.
    turn: Mutex<()>,
}

enum Place {
    /// Of one process: the data directory's lock keeps others away.
    File(PathBuf),
    Shared(Arc<dyn VaultStorage>),
}

#[derive(Default)]
struct Held {
    version: u64,
    contents: Contents,
}

/// How often a change is made again on what another process has left.
const CHANGE_ATTEMPTS_COUNT_MAX: u32 = 16;

impl Vault {
    /// Opens `dir/vault.json`, or makes it, with a fresh secret and nothing in it.
    pub fn open(dir: &Path) -> Result<Self, VaultError> {
        let path = dir.join("vault.json");
        let io = |source| VaultError::Io { path: path.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io)?;
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let secret = random()?;
                write(&path, &secret, &Contents::default())?;
                return Ok(Self::new(Place::File(path), secret, Held::default()));
            }
            Err(error) => return Err(io(error)),
        };
        // Whoever restored it with another mask: close it again.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(io)?;
        let damaged = |reason| VaultError::Damaged { path: path.clone(), reason };
        let (secret, contents) = file::from_json(&bytes).map_err(damaged)?;
        Ok(Self::new(Place::File(path), secret, Held { version: 0, contents }))
    }

    /// Opens a vault that others may have open too, or makes it, with a fresh secret and nothing in it. Blocks.
    pub fn shared(storage: Arc<dyn VaultStorage>) -> Result<Self, VaultError> {
        loop {
            let (version, entries) = storage.load()?;
            if let Some((secret, contents)) = entry::from_entries(&entries).map_err(VaultError::Entry)? {
                return Ok(Self::new(Place::Shared(storage), secret, Held { version, contents }));
            }
            // One of all that do this at once is first; everybody reads what that one wrote.
            let fresh = entry::to_entries(&random()?, &Contents::default()).map_err(VaultError::Entry)?;
            storage.swap(version, &entry::changes(&Entries::new(), &fresh))?;
        }
    }

    fn new(place: Place, secret: [u8; 32], held: Held) -> Self {
        Self { place, secret, held: Mutex::new(held), turn: Mutex::default() }
    }

    /// Whether other processes may change it.
    pub fn is_shared(&self) -> bool {
        matches!(self.place, Place::Shared(_))
    }

    /// Looks at the contents as they were last seen, under the lock: be quick.
    pub fn read<T>(&self, look: impl FnOnce(&Contents) -> T) -> T {
        look(&self.held().contents)
    }

    /// Changes the contents: when this returns the change is durable, and only then others see it. Made again, on the newer
    /// contents, where another process was faster. Blocks.
    pub fn change<T>(&self, mut change: impl FnMut(&mut Contents) -> T) -> Result<T, VaultError> {
        let _turn = self.turn();
        for _ in 0..CHANGE_ATTEMPTS_COUNT_MAX {
            let (version, mut next) = {
                let held = self.held();
                (held.version, held.contents.clone())
            };
            let answer = change(&mut next);
            if self.write(version, &next)? {
                return Ok(answer);
            }
            self.load()?;
        }
        Err(VaultError::Unavailable(format!("others were faster {CHANGE_ATTEMPTS_COUNT_MAX} times")))
    }

    /// Sees what other processes have changed before this was called. Blocks.
    pub fn refresh(&self) -> Result<(), VaultError> {
        let Place::Shared(storage) = &self.place else { return Ok(()) };
        let _turn = self.turn();
        if storage.version()? != self.held().version {
            self.load()?;
        }
        Ok(())
    }

    /// The parts' hash for one purpose: equal parts under another purpose hash otherwise.
    pub fn keyed_hash(&self, purpose: &str, parts: &[&[u8]]) -> Hash {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes a key of any length");
        for part in [purpose.as_bytes()].iter().chain(parts) {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Contents are replaced as a whole, so a panic leaves them whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn load(&self) -> Result<(), VaultError> {
        let Place::Shared(storage) = &self.place else { return Ok(()) };
        let (version, entries) = storage.load()?;
        let (secret, contents) = entry::from_entries(&entries)
            .and_then(|found| found.ok_or_else(|| "it is empty".to_owned()))
            .map_err(VaultError::Entry)?;
        if secret != self.secret {
            return Err(VaultError::Entry("it has another secret: it was made anew".to_owned()));
        }
        *self.held() = Held { version, contents };
        Ok(())
    }

    /// False if another process was faster; what is held is what it was then.
    fn write(&self, version: u64, next: &Contents) -> Result<bool, VaultError> {
        let version = match &self.place {
            _ if self.held().contents == *next => return Ok(true),
            Place::File(path) => {
                write(path, &self.secret, next)?;
                version
            }
            Place::Shared(storage) => {
                let entries =
                    |contents: &Contents| entry::to_entries(&self.secret, contents).map_err(VaultError::Entry);
                let changes = entry::changes(&entries(&self.held().contents)?, &entries(next)?);
                if !storage.swap(version, &changes)? {
                    return Ok(false);
                }
                version + 1
            }
        };
        *self.held() = Held { version, contents: next.clone() };
        Ok(true)
    }
}

fn write(path: &Path, secret: &[u8; 32], contents: &Contents) -> Result<(), VaultError> {
    let failed = |source| VaultError::Io { path: path.to_owned(), source };
    let bytes = file::to_json(secret, contents).map_err(|error| failed(io::Error::other(error)))?;
    let temporary = path.with_extension("json.new");
    let replace = || -> io::Result<()> {
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Made, never opened: nobody's file or link is written through.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(path.parent().unwrap_or_else(|| Path::new(".")))?.sync_all()
    };
    replace().map_err(failed)
}

/// Bytes that nobody can guess.
pub fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| VaultError::Random(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
