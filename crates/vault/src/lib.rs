//! The vault: small, mutable, ground state that is never in the log: the organization, who may do what with which key
//! (as keyed hashes), and who is signed in.
//!
//! A directory (0700) with one file, `vault.json` (0600), replaced as a whole with each change: written beside, synced,
//! renamed, and the directory synced, so that after a crash it is the one before or the one after. Losing it loses every
//! key; it belongs into every backup, apart from the log's.
//!
//! The server's secret, under which everything is hashed, lives in that file and never leaves this crate: what others get
//! is [`Vault::keyed_hash`].

mod file;
mod records;
mod vault;

pub use records::{Contents, KeyRecord, Organization, Role, Scope, SessionRecord};
pub use vault::{Hash, Vault, VaultError, random};
