//! Who may do what: asked by every door, denied by default.
//!
//! ```text
//! Authorization header ─► Access::verify ─┐
//! cookie + header      ─► Access::session ─┴─► Principal ─► authorize(principal, permission) ─► the handler
//! Host, Origin         ─► HostRules::check, before anything else
//! ```
//!
//! A route names its [`Permission`]; [`authorize`] is the only function that compares one with a [`Principal`].

mod authorize;
mod host;
mod key;
mod login;
mod look;
mod service;

pub use authorize::{Denied, Permission, Principal, Proof, authorize};
pub use corral_credentials::Secret;
pub use corral_vault::{Role, Scope, VaultError, VaultStorage};
pub use host::{HostDenied, HostRules, PublicUrlError, RequestOrigin};
pub use key::KeyId;
pub use login::NewSession;
pub use service::{Access, AccessError, FirstStart, KeyInfo, NewKey};
