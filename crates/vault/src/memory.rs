//! A shared vault's storage in memory, for tests: several vaults over it are several processes, and it can be away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::VaultError;
use crate::storage::{Entries, EntryChange, VaultStorage};

#[derive(Default)]
pub struct MemoryStorage {
    held: Mutex<(u64, Entries)>,
    away: AtomicBool,
}

impl MemoryStorage {
    /// From now on it cannot be reached, or can again.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    fn held(&self) -> Result<MutexGuard<'_, (u64, Entries)>, VaultError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(VaultError::Unavailable("it is away".to_owned()));
        }
        Ok(self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl VaultStorage for MemoryStorage {
    fn version(&self) -> Result<u64, VaultError> {
        Ok(self.held()?.0)
    }

    fn load(&self) -> Result<(u64, Entries), VaultError> {
        Ok(self.held()?.clone())
    }

    fn swap(&self, from: u64, changes: &[EntryChange]) -> Result<bool, VaultError> {
        let mut held = self.held()?;
        if held.0 != from {
            return Ok(false);
        }
        held.0 += 1;
        for (name, value) in changes {
            match value {
                Some(value) => held.1.insert(name.clone(), value.clone()),
                None => held.1.remove(name),
            };
        }
        Ok(true)
    }
}
