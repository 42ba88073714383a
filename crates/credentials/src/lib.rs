//! Where a user's keys lie: `${XDG_CONFIG_HOME:-~/.config}/corral/credentials`, written by the first `corral serve` of
//! a machine's user (its owner's key) and by hand, read by the clients and the command line.
//!
//! The file is a small subset of TOML, so that people can read and mend it:
//!
//! ```toml
//! # Corral: the key of each server.
//! default = "http://127.0.0.1:4870"
//!
//! [keys]
//! "http://127.0.0.1:4870" = "corral_0123456789ab_0f1e…"
//! ```
//!
//! Lines that this version does not know stay as they are. The crate has no dependencies to speak of, because every
//! client carries it.

mod file;
mod secret;

pub use file::{Credentials, CredentialsError, default_path, normal_url, remember};
pub use secret::Secret;
