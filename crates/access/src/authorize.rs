//! The rule: what a route asks for against what a principal has.

use corral_domain::{Actor, OrganizationId};
use corral_vault::{Role, Scope};

use crate::KeyId;

/// What a route asks for. A route that names none does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Anyone: health, login and the page's assets, nothing else.
    Public,
    /// Anyone who has proved who they are.
    AnyKey,
    ReadRuns,
    AppendRuns,
    Admin,
}

impl Permission {
    pub const ALL: [Permission; 5] = [Self::Public, Self::AnyKey, Self::ReadRuns, Self::AppendRuns, Self::Admin];
}

/// How somebody proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    Key(KeyId),
    /// The keyed hash of the session's cookie.
    Session([u8; 32]),
}

/// Who asks, and within which bounds. All that a handler touches lies in `organization`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub organization: OrganizationId,
    pub actor: Actor,
    pub role: Role,
    pub scope: Scope,
    pub proof: Proof,
}

/// The texts are what the caller is told: nothing that helps guessing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// 401, UNAUTHENTICATED: no key or session, or one that is unknown, wrong, expired or revoked.
    #[error("authorization: a valid API key or session is needed")]
    Unauthenticated,
    /// 403, PERMISSION_DENIED: known, and not allowed.
    #[error("authorization: this key or session does not allow that")]
    Forbidden,
    /// 503, UNAVAILABLE: not known here, and the vault that might know cannot be asked.
    #[error("authorization: who asks cannot be looked up now")]
    Later,
}

/// Takes a `&Principal` or an `Option<&Principal>`. Whatever is not allowed here is denied.
pub fn authorize<'a>(principal: impl Into<Option<&'a Principal>>, permission: Permission) -> Result<(), Denied> {
    if permission == Permission::Public {
        return Ok(());
    }
    let principal = principal.into().ok_or(Denied::Unauthenticated)?;
    let (needs, scopes): (Role, &[Scope]) = match permission {
        Permission::Public | Permission::AnyKey => (Role::Viewer, &[Scope::Full, Scope::Train, Scope::Read]),
        Permission::ReadRuns => (Role::Viewer, &[Scope::Full, Scope::Train, Scope::Read]),
        Permission::AppendRuns => (Role::Editor, &[Scope::Full, Scope::Train]),
        Permission::Admin => (Role::Admin, &[Scope::Full]),
    };
    if principal.role >= needs && scopes.contains(&principal.scope) { Ok(()) } else { Err(Denied::Forbidden) }
}

#[cfg(test)]
mod tests;
