//! A second look at a shared vault for who is not known: another process may have made the key, or the session, a moment ago.
//!
//! Whoever asks waits for a look that began after they did; looks follow each other at an interval, however many ask, so that
//! guessing keys costs the storage nothing more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use corral_domain::limits::VAULT_LOOK_AGAIN_MS;
use tokio::sync::Mutex;

use crate::key::{ApiKey, from_hex};
use crate::{Access, Denied, Principal};

#[derive(Default)]
pub(crate) struct Looks {
    begun: AtomicU64,
    /// Held by whoever looks.
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    at_ms: Option<u64>,
    saw: bool,
}

impl Access {
    /// [`Access::verify`], with a second look for a key that is not known here.
    pub async fn verify_now(&self, key: &str) -> Result<Principal, Denied> {
        let verified = self.verify(key);
        if verified.is_ok() || !self.is_shared() {
            return verified;
        }
        // Whatever is no key of ours, and a wrong secret of one that is known, is told from here.
        let Some(key_id) = ApiKey::parse(key).map(|key| key.id) else { return verified };
        if self.vault.read(|contents| contents.keys.contains_key(key_id.as_str())) {
            return verified;
        }
        self.look_again().await?;
        self.verify(key)
    }

    /// [`Access::session`], with a second look for a session that is not known here.
    pub async fn session_now(&self, cookie: &str, value: &str) -> Result<Principal, Denied> {
        let found = self.session(cookie, value);
        if found.is_ok() || !self.is_shared() || from_hex::<32>(cookie).is_none() {
            return found;
        }
        let hash = self.cookie_hash(cookie);
        if self.vault.read(|contents| contents.sessions.contains_key(&hash)) {
            return found;
        }
        self.look_again().await?;
        self.session(cookie, value)
    }

    /// Sees what other processes have changed until now. [`Denied::Later`]: the vault cannot be reached, so nobody can say
    /// that there is no such key.
    pub async fn look_again(&self) -> Result<(), Denied> {
        if !self.is_shared() {
            return Ok(());
        }
        let before = self.looks.begun.load(Ordering::Acquire);
        let mut last = self.looks.last.lock().await;
        if self.looks.begun.load(Ordering::Acquire) == before {
            let since_ms = last.at_ms.map(|at_ms| self.clock.monotonic_ms().saturating_sub(at_ms));
            let wait_ms = since_ms.map_or(0, |since_ms| VAULT_LOOK_AGAIN_MS.saturating_sub(since_ms));
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            self.looks.begun.fetch_add(1, Ordering::AcqRel);
            let vault = self.vault.clone();
            let looked = tokio::task::spawn_blocking(move || vault.refresh()).await;
            if let Ok(Err(error)) = &looked {
                tracing::warn!(%error, "the vault was not seen");
            }
            *last = Last { at_ms: Some(self.clock.monotonic_ms()), saw: matches!(looked, Ok(Ok(()))) };
        }
        if last.saw { Ok(()) } else { Err(Denied::Later) }
    }
}

#[cfg(test)]
mod tests;
