//! A shared vault's entries: a name, a byte of version, JSON with ids and hashes as hexadecimal digits.
//!
//! ```text
//! secret            the server's secret
//! organization      the organization and its owner
//! key/ID            a key
//! session/HASH      a browser session, by the keyed hash of its cookie
//! login/HASH        a login link that waits, by the keyed hash of its token
//! ```

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::file::{
    KeyPart, LoginPart, OrganizationPart, SessionPart, hash, key, key_part, login, login_part, organization,
    organization_part, session, session_part, to_hex,
};
use crate::records::Contents;
use crate::storage::{Entries, EntryChange};

const VERSION: u8 = 1;
const SECRET: &str = "secret";
const ORGANIZATION: &str = "organization";
const KEY: &str = "key/";
const SESSION: &str = "session/";
const LOGIN: &str = "login/";

/// What has to be changed so that `to` is there instead of `from`.
pub(crate) fn changes(from: &Entries, to: &Entries) -> Vec<EntryChange> {
    let gone = from.keys().filter(|name| !to.contains_key(*name)).map(|name| (name.clone(), None));
    let new = to.iter().filter(|(name, value)| from.get(*name) != Some(*value));
    gone.chain(new.map(|(name, value)| (name.clone(), Some(value.clone())))).collect()
}

pub(crate) fn to_entries(secret: &[u8; 32], contents: &Contents) -> Result<Entries, String> {
    let mut entries = Entries::from([(SECRET.to_owned(), encode(&to_hex(secret))?)]);
    if let Some(of) = &contents.organization {
        entries.insert(ORGANIZATION.to_owned(), encode(&organization_part(of))?);
    }
    for (id, record) in &contents.keys {
        entries.insert(format!("{KEY}{id}"), encode(&key_part(record))?);
    }
    for (cookie, record) in &contents.sessions {
        entries.insert(format!("{SESSION}{}", to_hex(cookie)), encode(&session_part(record))?);
    }
    for (token, record) in &contents.logins {
        entries.insert(format!("{LOGIN}{}", to_hex(token)), encode(&login_part(record))?);
    }
    Ok(entries)
}

/// `None`: nothing was put there yet. The error names the entry, never a value.
pub(crate) fn from_entries(entries: &Entries) -> Result<Option<([u8; 32], Contents)>, String> {
    let Some(secret) = entries.get(SECRET) else {
        return if entries.is_empty() { Ok(None) } else { Err(format!("{SECRET}: is missing")) };
    };
    let secret = hash(SECRET, &decode::<String>(SECRET, secret)?)?;
    let mut contents = Contents::default();
    for (name, bytes) in entries {
        if let Some(id) = name.strip_prefix(KEY) {
            contents.keys.insert(id.to_owned(), key(decode::<KeyPart>(name, bytes)?)?);
        } else if let Some(cookie) = name.strip_prefix(SESSION) {
            contents.sessions.insert(hash(name, cookie)?, session(decode::<SessionPart>(name, bytes)?)?);
        } else if let Some(token) = name.strip_prefix(LOGIN) {
            contents.logins.insert(hash(name, token)?, login(decode::<LoginPart>(name, bytes)?)?);
        } else if name == ORGANIZATION {
            contents.organization = Some(organization(decode::<OrganizationPart>(name, bytes)?)?);
        } else if name != SECRET {
            return Err(format!("{name:?}: is no entry that this program knows"));
        }
    }
    Ok(Some((secret, contents)))
}

fn encode(part: &impl Serialize) -> Result<Vec<u8>, String> {
    let mut bytes = vec![VERSION];
    serde_json::to_writer(&mut bytes, part).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn decode<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, String> {
    match bytes.split_first() {
        // Serde's own text may quote a value.
        Some((&VERSION, json)) => serde_json::from_slice(json).map_err(|_| format!("{name}: cannot be read")),
        Some((version, _)) => Err(format!("{name}: has version {version}; this program reads version {VERSION}")),
        None => Err(format!("{name}: is empty")),
    }
}

#[cfg(test)]
mod tests;
