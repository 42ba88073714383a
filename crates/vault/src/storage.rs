//! Where several processes keep one vault: named entries under a version that rises with each change.

use std::collections::BTreeMap;

use crate::VaultError;

/// The entries of a vault, each by its name (`entry.rs` says which there are).
pub type Entries = BTreeMap<String, Vec<u8>>;

/// An entry, and what is in it from now on; `None`: it is gone.
pub type EntryChange = (String, Option<Vec<u8>>);

/// The storage of a shared vault. Every method blocks, and answers "unavailable" within a bound of its own where it cannot
/// say.
pub trait VaultStorage: Send + Sync + 'static {
    /// Rises with each change; what was changed before this is called is seen by it. 0: nothing was put there yet.
    fn version(&self) -> Result<u64, VaultError>;

    /// Everything, at one moment, with its version.
    fn load(&self) -> Result<(u64, Entries), VaultError>;

    /// Makes all the changes and raises the version by one, durably, if it is still `from`; else nothing, and false. After
    /// an error both may be.
    fn swap(&self, from: u64, changes: &[EntryChange]) -> Result<bool, VaultError>;
}
