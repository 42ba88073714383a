//! The one place that makes, checks and takes back keys and sessions.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corral_credentials::Secret;
use corral_domain::limits::{
    KEY_LAST_USED_US, LOGIN_TOKEN_KEEP_MS_MAX, LOGIN_TOKENS_COUNT_MAX, SESSION_KEEP_US, VAULT_CHANGE_KEYS_COUNT_MAX,
    VAULT_KEYS_COUNT_MAX, VAULT_SESSIONS_COUNT_MAX,
};
use corral_domain::{Actor, Micros, OrganizationId};
use corral_tasks::Clock;
use corral_vault::{
    Contents, Hash, KeyRecord, LoginRecord, Organization, Role, Scope, SessionRecord, Vault, VaultError, VaultStorage,
    random,
};
use subtle::ConstantTimeEq as _;

use crate::key::{ApiKey, from_hex, to_hex};
use crate::login::{LoginTokens, NewSession};
use crate::look::Looks;
use crate::{Denied, KeyId, Principal, Proof};

#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// There is no owner yet; [`Access::first_start`] makes one.
    #[error("the vault holds no organization yet")]
    NotStarted,
    #[error("keys: there are {VAULT_KEYS_COUNT_MAX}; revoke one first")]
    TooManyKeys,
    /// What the first start's key was to be written with said no; nothing was made.
    #[error("the owner's key could not be handed over: {0}")]
    NotHandedOver(Box<dyn std::error::Error + Send + Sync>),
    /// What was to be the first key is not one of ours.
    #[error("it does not hold a key: corral_<12 characters>_<64 hexadecimal digits>")]
    NotAKey,
}

impl AccessError {
    /// Whether the same call may work later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Vault(VaultError::Unavailable(_)))
    }
}

/// The service of one server. Verifying takes no lock for long and touches no disk and no other process; making and revoking
/// write the vault (blocking, a few milliseconds). Where the vault is shared, what another process has changed is seen by
/// [`Access::refresh`], and by [`Access::look_again`] for who is not known.
pub struct Access {
    pub(crate) vault: Arc<Vault>,
    pub(crate) clock: Clock,
    logins: Mutex<LoginTokens>,
    /// Uses seen since the last flush.
    used: Mutex<BTreeMap<String, Micros>>,
    pub(crate) looks: Looks,
}

/// What the first start made.
pub struct FirstStart {
    pub organization: OrganizationId,
    pub actor: Actor,
    pub key_id: KeyId,
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// For people: what it is for.
    pub name: String,
    pub actor: Actor,
    pub role: Role,
    pub scope: Scope,
    pub expires: Option<Micros>,
}

/// A key as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    pub id: KeyId,
    pub record: KeyRecord,
}

impl Access {
    /// Opens the vault in `dir`, or makes an empty one.
    pub fn open(dir: &Path, clock: Clock) -> Result<Self, AccessError> {
        Ok(Self::new(Vault::open(dir)?, clock))
    }

    /// Over a vault that other processes have open too. Blocks.
    pub fn shared(storage: Arc<dyn VaultStorage>, clock: Clock) -> Result<Self, AccessError> {
        Ok(Self::new(Vault::shared(storage)?, clock))
    }

    fn new(vault: Vault, clock: Clock) -> Self {
        let (logins, used, looks) = Default::default();
        Self { vault: Arc::new(vault), clock, logins, used, looks }
    }

    /// Whether other processes may make and take back keys and sessions.
    pub fn is_shared(&self) -> bool {
        self.vault.is_shared()
    }

    /// Sees what other processes have changed. For a task, now and then; blocks.
    pub fn refresh(&self) -> Result<(), AccessError> {
        Ok(self.vault.refresh()?)
    }

    /// The organization that this server serves, once there is one.
    pub fn organization(&self) -> Option<Organization> {
        self.vault.read(|contents| contents.organization.clone())
    }

    /// Where there is no organization: makes it, its owner, and a key that is handed to `hand_over` *before* the vault
    /// remembers it, so that a crash between the two begins again instead of leaving an owner whom nobody can be.
    pub fn first_start<E>(
        &self,
        hand_over: impl FnOnce(&Secret) -> Result<(), E>,
    ) -> Result<Option<FirstStart>, AccessError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.refresh()?;
        if self.organization().is_some() {
            return Ok(None);
        }
        let key = ApiKey::generate()?;
        hand_over(&key.text()).map_err(|error| AccessError::NotHandedOver(error.into()))?;
        self.begin(key)
    }

    /// The same with a key that somebody else has made: all who start with one key make one owner.
    pub fn first_start_with(&self, key: &str) -> Result<Option<FirstStart>, AccessError> {
        let key = ApiKey::parse(key).ok_or(AccessError::NotAKey)?;
        self.refresh()?;
        if self.organization().is_some() { Ok(None) } else { self.begin(key) }
    }

    /// `None`: another process was faster.
    fn begin(&self, key: ApiKey) -> Result<Option<FirstStart>, AccessError> {
        let id = OrganizationId::from_bytes(random()?);
        let actor: Actor = "owner".parse().expect("a valid actor");
        let name = "the first start's key".to_owned();
        let new = NewKey { name, actor: actor.clone(), role: Role::Admin, scope: Scope::Full, expires: None };
        let record = self.record(&key, new, id);
        let organization = Organization { id, name: "local".to_owned(), owner: actor.clone() };
        let made = self.vault.change(|contents| {
            if contents.organization.is_some() {
                return false;
            }
            contents.organization = Some(organization.clone());
            contents.keys.insert(key.id.to_string(), record.clone());
            true
        })?;
        Ok(made.then_some(FirstStart { organization: id, actor, key_id: key.id }))
    }

    /// Makes a key; its text is here and nowhere else.
    pub fn create_key(&self, new: NewKey) -> Result<(KeyId, Secret), AccessError> {
        let organization = self.organization().ok_or(AccessError::NotStarted)?.id;
        let key = ApiKey::generate()?;
        let record = self.record(&key, new, organization);
        let made = self.vault.change(|contents| {
            if contents.keys.len() >= VAULT_KEYS_COUNT_MAX {
                return Err(AccessError::TooManyKeys);
            }
            contents.keys.insert(key.id.to_string(), record.clone());
            Ok(())
        })?;
        made.map(|()| (key.id.clone(), key.text()))
    }

    /// False if there is no such key.
    pub fn revoke_key(&self, id: &KeyId) -> Result<bool, AccessError> {
        Ok(self.vault.change(|contents| contents.keys.remove(id.as_str()).is_some())?)
    }

    pub fn keys(&self) -> Vec<KeyInfo> {
        let info = |(id, record): (&String, &KeyRecord)| Some(KeyInfo { id: KeyId::new(id)?, record: record.clone() });
        self.vault.read(|contents| contents.keys.iter().filter_map(info).collect())
    }

    /// Checks the key of an `Authorization: Bearer` header (without the word). A key that is unknown, wrong or expired is
    /// one answer and one cost.
    pub fn verify(&self, key: &str) -> Result<Principal, Denied> {
        let key = ApiKey::parse(key).ok_or(Denied::Unauthenticated)?;
        let given = self.key_hash(&key);
        let now = self.clock.now();
        // An unknown id is compared too, with what nothing hashes to; nothing else depends on it before the answer.
        let record = self.vault.read(|contents| {
            let record = contents.keys.get(key.id.as_str());
            let equal = given.ct_eq(record.map_or(&[0; 32], |record| &record.hash));
            let live = |record: &&KeyRecord| record.expires.is_none_or(|expires| now < expires);
            if bool::from(equal) { record.filter(live).cloned() } else { None }
        });
        let record = record.ok_or(Denied::Unauthenticated)?;
        if record.last_used.is_none_or(|last| now.0.saturating_sub(last.0) >= KEY_LAST_USED_US) {
            lock(&self.used).insert(key.id.to_string(), now);
        }
        Ok(of_key(key.id, &record))
    }

    /// A login link's token, for `actor`. Using it is the only way to use it up. Blocks where the vault is shared: any
    /// process may be the one that is asked to sign in.
    pub fn login_token(&self, actor: Actor) -> Result<Secret, AccessError> {
        let token = to_hex(&random::<16>()?);
        let hash = self.vault.keyed_hash("login token", &[token.as_bytes()]);
        if self.is_shared() {
            let now = self.clock.now();
            let expires = Micros(now.0.saturating_add(LOGIN_TOKEN_KEEP_MS_MAX as i64 * 1_000));
            self.vault.change(|contents| {
                add_login(contents, hash, LoginRecord { actor: actor.clone(), expires }, now);
            })?;
        } else {
            lock(&self.logins).add(hash, actor, self.clock.monotonic_ms());
        }
        Ok(Secret::new(token))
    }

    fn take_login(&self, hash: &Hash) -> Result<Option<Actor>, AccessError> {
        if !self.is_shared() {
            return Ok(lock(&self.logins).take(hash, self.clock.monotonic_ms()));
        }
        let now = self.clock.now();
        self.refresh()?;
        let taken = self.vault.change(|contents| {
            let waiting = contents.logins.iter().map(|(of, login)| (*of, bool::from(of.ct_eq(hash)), login.expires));
            let found =
                waiting.fold(None, |found, (of, equal, expires)| if equal && now < expires { Some(of) } else { found });
            found.and_then(|of| contents.logins.remove(&of))
        })?;
        Ok(taken.map(|login| login.actor))
    }

    /// Trades a login token for a session: once.
    pub fn login(&self, token: &str) -> Result<Result<NewSession, Denied>, AccessError> {
        let organization = self.organization().ok_or(AccessError::NotStarted)?;
        let hash = self.vault.keyed_hash("login token", &[token.as_bytes()]);
        let Some(actor) = self.take_login(&hash)? else {
            return Ok(Err(Denied::Unauthenticated));
        };
        // Accounts and their roles come with members; until then who can make a link is the owner.
        let role = if actor == organization.owner { Role::Admin } else { Role::Viewer };
        let (cookie, value) = (to_hex(&random::<32>()?), to_hex(&random::<32>()?));
        let created = self.clock.now();
        let expires = Micros(created.0.saturating_add(SESSION_KEEP_US));
        let value_hash = self.vault.keyed_hash("session value", &[value.as_bytes()]);
        let record =
            SessionRecord { value_hash, actor: actor.clone(), organization: organization.id, role, created, expires };
        let cookie_hash = self.cookie_hash(&cookie);
        self.vault.change(|contents| add_session(contents, cookie_hash, record.clone(), created))?;
        Ok(Ok(NewSession { cookie: Secret::new(cookie), value: Secret::new(value), actor, expires }))
    }

    /// Checks both halves of a browser session.
    pub fn session(&self, cookie: &str, value: &str) -> Result<Principal, Denied> {
        // Both have one spelling and one length, so a long one costs nothing.
        if from_hex::<32>(cookie).is_none() || from_hex::<32>(value).is_none() {
            return Err(Denied::Unauthenticated);
        }
        let cookie_hash = self.cookie_hash(cookie);
        let given = self.vault.keyed_hash("session value", &[value.as_bytes()]);
        let now = self.clock.now();
        let record = self.vault.read(|contents| {
            let record = contents.sessions.get(&cookie_hash);
            let equal = given.ct_eq(record.map_or(&[0; 32], |record| &record.value_hash));
            if bool::from(equal) { record.filter(|record| now < record.expires).cloned() } else { None }
        });
        record.map(|record| of_session(cookie_hash, &record)).ok_or(Denied::Unauthenticated)
    }

    /// Ends a session; false if it had ended.
    pub fn logout(&self, cookie: &str) -> Result<bool, AccessError> {
        let cookie_hash = self.cookie_hash(cookie);
        Ok(self.vault.change(|contents| contents.sessions.remove(&cookie_hash).is_some())?)
    }

    /// What a principal is now: for streams, which ask again every so often.
    pub fn recheck(&self, principal: &Principal) -> Result<Principal, Denied> {
        let now = self.clock.now();
        let found = self.vault.read(|contents| match &principal.proof {
            Proof::Key(id) => {
                let record = contents.keys.get(id.as_str())?;
                record.expires.is_none_or(|expires| now < expires).then(|| of_key(id.clone(), record))
            }
            Proof::Session(cookie) => {
                let record = contents.sessions.get(cookie)?;
                (now < record.expires).then(|| of_session(*cookie, record))
            }
        });
        found.ok_or(Denied::Unauthenticated)
    }

    /// Writes down when keys were last used, and forgets sessions and links that have ended. For a task, now and then; blocks.
    pub fn flush(&self) -> Result<(), AccessError> {
        let (used, now) = (std::mem::take(&mut *lock(&self.used)), self.clock.now());
        let used: Vec<(String, Micros)> = used.into_iter().collect();
        // By parts, as a shared vault's storage bounds one change.
        for part in used.chunks(VAULT_CHANGE_KEYS_COUNT_MAX) {
            self.vault.change(|contents| {
                for (id, at) in part {
                    if let Some(key) = contents.keys.get_mut(id) {
                        // Another process may have seen a later one.
                        key.last_used = key.last_used.max(Some(*at));
                    }
                }
            })?;
        }
        self.vault.change(|contents| {
            contents.sessions.retain(|_, session| now < session.expires);
            contents.logins.retain(|_, login| now < login.expires);
        })?;
        Ok(())
    }

    pub(crate) fn cookie_hash(&self, cookie: &str) -> Hash {
        self.vault.keyed_hash("session cookie", &[cookie.as_bytes()])
    }

    fn key_hash(&self, key: &ApiKey) -> Hash {
        self.vault.keyed_hash("api key", &[key.id.as_str().as_bytes(), &key.secret])
    }

    fn record(&self, key: &ApiKey, new: NewKey, organization: OrganizationId) -> KeyRecord {
        let NewKey { name, actor, role, scope, expires } = new;
        let (hash, created) = (self.key_hash(key), self.clock.now());
        KeyRecord { name, hash, actor, organization, role, scope, created, expires, last_used: None }
    }
}

fn add_session(contents: &mut Contents, cookie: Hash, record: SessionRecord, now: Micros) {
    contents.sessions.retain(|_, session| now < session.expires);
    while contents.sessions.len() >= VAULT_SESSIONS_COUNT_MAX {
        let first = contents.sessions.iter().min_by_key(|(_, session)| session.expires).map(|(cookie, _)| *cookie);
        let Some(first) = first else { break };
        contents.sessions.remove(&first);
    }
    contents.sessions.insert(cookie, record);
}

fn add_login(contents: &mut Contents, token: Hash, record: LoginRecord, now: Micros) {
    contents.logins.retain(|_, login| now < login.expires);
    while contents.logins.len() >= LOGIN_TOKENS_COUNT_MAX {
        let first = contents.logins.iter().min_by_key(|(_, login)| login.expires).map(|(token, _)| *token);
        let Some(first) = first else { break };
        contents.logins.remove(&first);
    }
    contents.logins.insert(token, record);
}

fn of_key(id: KeyId, record: &KeyRecord) -> Principal {
    let KeyRecord { organization, role, scope, .. } = *record;
    Principal { organization, actor: record.actor.clone(), role, scope, proof: Proof::Key(id) }
}

fn of_session(cookie: Hash, record: &SessionRecord) -> Principal {
    let SessionRecord { organization, role, .. } = *record;
    Principal { organization, actor: record.actor.clone(), role, scope: Scope::Full, proof: Proof::Session(cookie) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics between two halves of a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
