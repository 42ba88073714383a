//! Typed ids, in alphabetical order: every id is its own type, so that a run's id cannot be passed for a project's.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

/// Why a text is not an id: names the field and the limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct IdError {
    pub field: &'static str,
    pub reason: &'static str,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
            pub fn from_slice(bytes: &[u8]) -> Result<Self, IdError> {
                Uuid::from_slice(bytes).map(Self).map_err(|_| IdError { field: $field, reason: "must be 16 bytes" })
            }
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0.as_simple())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_simple())
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let reason = "must be 32 hexadecimal digits";
                if text.len() != 32 {
                    return Err(IdError { field: $field, reason });
                }
                Uuid::try_parse(text).map(Self).map_err(|_| IdError { field: $field, reason })
            }
        }
    };
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $field:literal, $bytes_max:expr, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), &self.0)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            /// 1 to the limit of `[A-Za-z0-9._-]`; `.` and `..` are refused, so that an id is safe wherever it is shown.
            fn from_str(text: &str) -> Result<Self, IdError> {
                let ok = !text.is_empty()
                    && text.len() <= $bytes_max
                    && text != "."
                    && text != ".."
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
                if ok { Ok(Self(text.into())) } else { Err(IdError { field: $field, reason: $what }) }
            }
        }
    };
}

text_id!(
    /// The account that did something (a person or a service account), never a key's id.
    Actor,
    "actor",
    64,
    "must be 1 to 64 of [A-Za-z0-9._-]"
);
uuid_id!(
    /// Names a command, so that doing it twice has one outcome.
    CommandId,
    "command_id"
);
uuid_id!(
    /// UUIDv7 of one event.
    EventId,
    "event_id"
);
uuid_id!(
    /// Names one event log for ever; a restore keeps it and raises the log epoch.
    LogId,
    "log_id"
);
uuid_id!(
    /// The tenant. Every stream key starts with it.
    OrganizationId,
    "organization"
);
uuid_id!(
    /// A project; its name is an attribute that may change.
    ProjectId,
    "project"
);
text_id!(
    /// A run: unique in its organization. A ULID unless the user chose it.
    RunId,
    "run"
    ,
    64,
    "must be 1 to 64 of [A-Za-z0-9._-]"
);
uuid_id!(
    /// One opening of one run in one process (with its epoch).
    WriterId,
    "writer_id"
);
