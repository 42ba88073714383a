//! Blobs: bytes under a key, in a directory or in an object store of a cloud, chosen by a URL.
//!
//! ```text
//! file:///srv/corral/blobs      a directory (made if it is missing)
//! s3://bucket/prefix            Amazon S3, or what speaks its protocol     \
//! gs://bucket/prefix            Google Cloud Storage                        > cargo feature `cloud`; who we are there,
//! az://container/prefix         Azure Blob Storage                         /  and where, comes from the usual variables
//! memory:                       for tests
//! ```
//!
//! **Whole or not at all.** A put is seen when all of it is there and durable: a directory is written under a temporary
//! name, synced, then given its name; clouds promise it. Nothing is ever changed in place, and what is written anew under
//! its content's hash is the same.

mod digest;
#[cfg(feature = "contract")]
pub mod failing;
mod open;
mod store;

pub use digest::Digest;
pub use store::{BlobError, BlobStore, Found};
