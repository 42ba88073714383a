//! Login links: 128 bits, 15 minutes, once; kept in memory only, as keyed hashes.

use std::collections::VecDeque;

use corral_credentials::Secret;
use corral_domain::limits::{LOGIN_TOKEN_KEEP_MS_MAX, LOGIN_TOKENS_COUNT_MAX};
use corral_domain::{Actor, Micros};
use corral_vault::Hash;
use subtle::ConstantTimeEq as _;

/// What a browser keeps of a session: two halves, both needed, both 256 bits. Shown once.
pub struct NewSession {
    /// For the HttpOnly, SameSite=Strict cookie.
    pub cookie: Secret,
    /// For localStorage: sent as a header, or in the session's first frame.
    pub value: Secret,
    pub actor: Actor,
    pub expires: Micros,
}

/// Links that wait to be used, oldest first.
#[derive(Default)]
pub(crate) struct LoginTokens(VecDeque<Waiting>);

struct Waiting {
    hash: Hash,
    actor: Actor,
    /// On the monotonic clock: nobody's setting of the wall clock keeps a link alive.
    made_ms: u64,
}

impl LoginTokens {
    pub(crate) fn add(&mut self, hash: Hash, actor: Actor, now_ms: u64) {
        if self.0.len() >= LOGIN_TOKENS_COUNT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Waiting { hash, actor, made_ms: now_ms });
    }

    /// Uses a link up. All that wait are compared, whichever it is.
    pub(crate) fn take(&mut self, hash: &Hash, now_ms: u64) -> Option<Actor> {
        self.0.retain(|waiting| now_ms.saturating_sub(waiting.made_ms) < LOGIN_TOKEN_KEEP_MS_MAX);
        let mut found = None;
        for (at, waiting) in self.0.iter().enumerate() {
            if bool::from(waiting.hash.ct_eq(hash)) {
                found = Some(at);
            }
        }
        found.and_then(|at| self.0.remove(at)).map(|waiting| waiting.actor)
    }
}
