//! The file's layout: JSON with its version, hashes and ids as hexadecimal digits.

use std::collections::BTreeMap;
use std::str::FromStr;

use corral_domain::Micros;
use serde::{Deserialize, Serialize};

use crate::records::{Contents, KeyRecord, LoginRecord, Organization, Role, Scope, SessionRecord};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VaultFile {
    version: u32,
    server_secret: String,
    organization: Option<OrganizationPart>,
    keys: BTreeMap<String, KeyPart>,
    sessions: BTreeMap<String, SessionPart>,
}

/// Of a shared vault alone: one process keeps its links in memory.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginPart {
    actor: String,
    expires_us: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganizationPart {
    id: String,
    name: String,
    owner: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyPart {
    name: String,
    hash: String,
    actor: String,
    organization: String,
    role: String,
    scope: String,
    created_us: i64,
    expires_us: Option<i64>,
    last_used_us: Option<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionPart {
    value_hash: String,
    actor: String,
    organization: String,
    role: String,
    created_us: i64,
    expires_us: i64,
}

pub(crate) fn to_json(secret: &[u8; 32], contents: &Contents) -> Result<Vec<u8>, String> {
    let file = VaultFile {
        version: VERSION,
        server_secret: to_hex(secret),
        organization: contents.organization.as_ref().map(organization_part),
        keys: contents.keys.iter().map(|(id, key)| (id.clone(), key_part(key))).collect(),
        sessions: contents.sessions.iter().map(|(cookie, session)| (to_hex(cookie), session_part(session))).collect(),
    };
    let mut bytes = serde_json::to_vec_pretty(&file).map_err(|error| error.to_string())?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The error names the field, never a value.
pub(crate) fn from_json(bytes: &[u8]) -> Result<([u8; 32], Contents), String> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    // Serde's own text may quote a value: say where, not what.
    let place = |error: serde_json::Error| format!("is not valid at line {}, column {}", error.line(), error.column());
    let version = serde_json::from_slice::<Versioned>(bytes).map_err(place)?.version;
    if version != VERSION {
        return Err(format!("has version {version}; this program reads version {VERSION}"));
    }
    let file: VaultFile = serde_json::from_slice(bytes).map_err(place)?;
    let keys = file.keys.into_iter().map(|(id, part)| Ok((id, key(part)?)));
    let sessions = file.sessions.into_iter().map(|(cookie, part)| Ok((hash("sessions", &cookie)?, session(part)?)));
    let contents = Contents {
        organization: file.organization.map(organization).transpose()?,
        keys: keys.collect::<Result<_, String>>()?,
        sessions: sessions.collect::<Result<_, String>>()?,
        ..Contents::default()
    };
    Ok((hash("server_secret", &file.server_secret)?, contents))
}

pub(crate) fn organization_part(organization: &Organization) -> OrganizationPart {
    let Organization { id, name, owner } = organization;
    OrganizationPart { id: id.to_string(), name: name.clone(), owner: owner.to_string() }
}

pub(crate) fn organization(part: OrganizationPart) -> Result<Organization, String> {
    let (id, owner) = (parse("organization.id", &part.id)?, parse("organization.owner", &part.owner)?);
    Ok(Organization { id, name: part.name, owner })
}

pub(crate) fn login_part(login: &LoginRecord) -> LoginPart {
    LoginPart { actor: login.actor.to_string(), expires_us: login.expires.0 }
}

pub(crate) fn login(part: LoginPart) -> Result<LoginRecord, String> {
    Ok(LoginRecord { actor: parse("logins.actor", &part.actor)?, expires: Micros(part.expires_us) })
}

pub(crate) fn key_part(key: &KeyRecord) -> KeyPart {
    KeyPart {
        name: key.name.clone(),
        hash: to_hex(&key.hash),
        actor: key.actor.to_string(),
        organization: key.organization.to_string(),
        role: role_text(key.role).to_owned(),
        scope: scope_text(key.scope).to_owned(),
        created_us: key.created.0,
        expires_us: key.expires.map(|time| time.0),
        last_used_us: key.last_used.map(|time| time.0),
    }
}

pub(crate) fn key(part: KeyPart) -> Result<KeyRecord, String> {
    Ok(KeyRecord {
        name: part.name,
        hash: hash("keys.hash", &part.hash)?,
        actor: parse("keys.actor", &part.actor)?,
        organization: parse("keys.organization", &part.organization)?,
        role: role("keys.role", &part.role)?,
        scope: SCOPES
            .into_iter()
            .find(|(_, text)| *text == part.scope)
            .map(|(scope, _)| scope)
            .ok_or("keys.scope: must be full, train or read")?,
        created: Micros(part.created_us),
        expires: part.expires_us.map(Micros),
        last_used: part.last_used_us.map(Micros),
    })
}

pub(crate) fn session_part(session: &SessionRecord) -> SessionPart {
    SessionPart {
        value_hash: to_hex(&session.value_hash),
        actor: session.actor.to_string(),
        organization: session.organization.to_string(),
        role: role_text(session.role).to_owned(),
        created_us: session.created.0,
        expires_us: session.expires.0,
    }
}

pub(crate) fn session(part: SessionPart) -> Result<SessionRecord, String> {
    Ok(SessionRecord {
        value_hash: hash("sessions.value_hash", &part.value_hash)?,
        actor: parse("sessions.actor", &part.actor)?,
        organization: parse("sessions.organization", &part.organization)?,
        role: role("sessions.role", &part.role)?,
        created: Micros(part.created_us),
        expires: Micros(part.expires_us),
    })
}

const ROLES: [(Role, &str); 4] =
    [(Role::Viewer, "viewer"), (Role::Commenter, "commenter"), (Role::Editor, "editor"), (Role::Admin, "admin")];
const SCOPES: [(Scope, &str); 3] = [(Scope::Full, "full"), (Scope::Train, "train"), (Scope::Read, "read")];

fn role_text(role: Role) -> &'static str {
    ROLES.into_iter().find(|(of, _)| *of == role).map_or("viewer", |(_, text)| text)
}
fn scope_text(scope: Scope) -> &'static str {
    SCOPES.into_iter().find(|(of, _)| *of == scope).map_or("read", |(_, text)| text)
}
fn role(field: &str, text: &str) -> Result<Role, String> {
    let found = ROLES.into_iter().find(|(_, of)| *of == text).map(|(role, _)| role);
    found.ok_or_else(|| format!("{field}: must be viewer, commenter, editor or admin"))
}
fn parse<T: FromStr>(field: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{field}: is not an id"))
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
pub(crate) fn hash(field: &str, text: &str) -> Result<[u8; 32], String> {
    let bad = || format!("{field}: must be 64 hexadecimal digits");
    if text.len() != 64 || !text.is_ascii() {
        return Err(bad());
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).map_err(|_| bad())?;
    }
    Ok(bytes)
}
