//! What a process does: all of it, or some roles of it.

use std::collections::BTreeSet;

/// A role. Data walks them in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Takes what training programs send.
    Ingest,
    /// Writes the read store from the event log.
    Projector,
    /// Copies the event log into its archive, and lets the log forget what is in there.
    Archiver,
    /// Answers questions.
    Query,
    /// The page with its live sessions, signing in, and all that `Query` answers.
    Web,
}

impl Role {
    pub const ALL: [Role; 5] = [Self::Ingest, Self::Projector, Self::Archiver, Self::Query, Self::Web];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Projector => "projector",
            Self::Archiver => "archiver",
            Self::Query => "query",
            Self::Web => "web",
        }
    }
}

/// The roles of one process; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut roles = BTreeSet::new();
        for name in text.split(',').map(str::trim) {
            match Role::ALL.into_iter().find(|role| role.name() == name) {
                Some(role) => drop(roles.insert(role)),
                None if name == "all" => roles.extend(Role::ALL),
                None => {
                    let names = Role::ALL.map(Role::name).join(", ");
                    return Err(format!("`{}` must be all, or some of {names}", name.escape_debug()));
                }
            }
        }
        Ok(Self(roles))
    }

    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// Whether this process answers questions.
    pub(crate) fn answers(&self) -> bool {
        self.has(Role::Query) || self.has(Role::Web)
    }

    /// Every role without which a process cannot own what is embedded: an archive need not be kept.
    pub(super) fn is_all(&self) -> bool {
        Role::ALL.into_iter().all(|role| role == Role::Archiver || self.has(role))
    }
}
