//! The vault: small, mutable, ground state that is never in the log: the organization, who may do what with which key
//! (as keyed hashes), and who is signed in.
//!
//! A directory (0700) with one file, `vault.json` (0600), replaced as a whole with each change: written beside, synced,
//! renamed, and the directory synced, so that after a crash it is the one before or the one after. Losing it loses every
//! key; it belongs into every backup, apart from the log's.
//!
//! Where several processes serve one organization they share a vault over a [`VaultStorage`]: each holds all of it, changes
//! it by compare-and-swap, and looks whether another has. What was looked at last is gone by while the storage is away.
//!
//! The server's secret, under which everything is hashed, lives there and never leaves this crate: what others get
//! is [`Vault::keyed_hash`].

mod entry;
mod file;
mod memory;
mod records;
mod storage;
mod vault;

pub use memory::MemoryStorage;
pub use records::{Contents, KeyRecord, LoginRecord, Organization, Role, Scope, SessionRecord};
pub use storage::{Entries, EntryChange, VaultStorage};
pub use vault::{Hash, Vault, VaultError, random};
