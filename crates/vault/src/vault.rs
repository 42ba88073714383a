//! Opening, changing and hashing.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use sha2::Sha256;

use crate::file;
use crate::records::Contents;

/// HMAC-SHA-256 under the server's secret.
pub type Hash = [u8; 32];

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    /// Ground state: nothing is made anew over it.
    #[error("{path}: {reason}; restore it from a backup, or move it away to begin without keys")]
    Damaged { path: PathBuf, reason: String },
    #[error("the operating system gives no random numbers: {0}")]
    Random(String),
}

/// The vault of one server. The data directory's lock keeps other processes away.
pub struct Vault {
    path: PathBuf,
    secret: [u8; 32],
    contents: Mutex<Contents>,
}

impl Vault {
    /// Opens `dir/vault.json`, or makes it, with a fresh secret and nothing in it.
    pub fn open(dir: &Path) -> Result<Self, VaultError> {
        let path = dir.join("vault.json");
        let io = |source| VaultError::Io { path: path.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io)?;
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let vault = Self { path: path.clone(), secret: random()?, contents: Mutex::default() };
                vault.write(&Contents::default())?;
                return Ok(vault);
            }
            Err(error) => return Err(io(error)),
        };
        // Whoever restored it with another mask: close it again.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(io)?;
        let damaged = |reason| VaultError::Damaged { path: path.clone(), reason };
        let (secret, contents) = file::from_json(&bytes).map_err(damaged)?;
        Ok(Self { path, secret, contents: Mutex::new(contents) })
    }

    /// Looks at the contents, under the lock: be quick.
    pub fn read<T>(&self, look: impl FnOnce(&Contents) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the contents: when this returns the change is durable, and only then others see it. Blocks.
    pub fn change<T>(&self, change: impl FnOnce(&mut Contents) -> T) -> Result<T, VaultError> {
        let mut contents = self.lock();
        let mut next = contents.clone();
        let answer = change(&mut next);
        if next != *contents {
            self.write(&next)?;
            *contents = next;
        }
        Ok(answer)
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

    fn lock(&self) -> MutexGuard<'_, Contents> {
        // Contents are replaced as a whole, so a panic leaves them whole.
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, contents: &Contents) -> Result<(), VaultError> {
        let failed = |source| VaultError::Io { path: self.path.clone(), source };
        let bytes = file::to_json(&self.secret, contents).map_err(|error| failed(io::Error::other(error)))?;
        let temporary = self.path.with_extension("json.new");
        let replace = || -> io::Result<()> {
            match fs::remove_file(&temporary) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            // Made, never opened: nobody's file or link is written through.
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &self.path)?;
            File::open(self.path.parent().unwrap_or_else(|| Path::new(".")))?.sync_all()
        };
        replace().map_err(failed)
    }
}

/// Bytes that nobody can guess.
pub fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| VaultError::Random(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
