//! What the vault holds. None of it is a secret that could be used: keys and sessions are keyed hashes.

use std::collections::BTreeMap;

use corral_domain::{Actor, Micros, OrganizationId};

use crate::Hash;

/// The rights of an account, each including those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Viewer = 1,
    Commenter = 2,
    Editor = 3,
    Admin = 4,
}

/// What a key can be used for, within its account's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All that the role allows.
    Full,
    /// Sending runs and reading them back: what a training program needs.
    Train,
    /// Reading.
    Read,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    pub id: OrganizationId,
    pub name: String,
    /// The account that the first start made.
    pub owner: Actor,
}

/// A key, found by its public id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// For people: what the key is for.
    pub name: String,
    /// Of the id and the secret.
    pub hash: Hash,
    pub actor: Actor,
    pub organization: OrganizationId,
    pub role: Role,
    pub scope: Scope,
    pub created: Micros,
    pub expires: Option<Micros>,
    /// Coarse: to the hour.
    pub last_used: Option<Micros>,
}

/// A browser session, found by the keyed hash of its cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Of the other half, which the page sends as a header.
    pub value_hash: Hash,
    pub actor: Actor,
    pub organization: OrganizationId,
    pub role: Role,
    pub created: Micros,
    pub expires: Micros,
}

/// A login link that waits to be used, found by the keyed hash of its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginRecord {
    pub actor: Actor,
    pub expires: Micros,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Empty before the first start has made it.
    pub organization: Option<Organization>,
    pub keys: BTreeMap<String, KeyRecord>,
    pub sessions: BTreeMap<Hash, SessionRecord>,
    /// Of a shared vault alone: a vault of one process has its links in memory.
    pub logins: BTreeMap<Hash, LoginRecord>,
}
