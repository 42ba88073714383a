//! The read store on a CQL cluster: Apache Cassandra 5 or ScyllaDB.
//!
//! # Path of a commit
//!
//! [`store`] checks a batch, [`plan`] gathers each phase's mutations into requests of one partition each, [`cluster`] sends
//! them, so many at a time, again after a pause where the cluster says "later", and the next phase begins when every
//! request of the one before was acknowledged by a quorum. Every text that is sent stands in [`statements`].
//!
//! # Rows
//!
//! One CQL table per [`Table`](corral_read_store::Table) and build, `b3_tail` for the tail of build 3, so that a build that
//! is not needed any more is dropped and not deleted row by row. A row has one cell, so that the engine's own rule (highest
//! timestamp; at equal ones the delete, then the larger value) is the rule of the trait; its timestamp is the mutation's
//! own, never a clock's. A partition key has a byte of version in front: engines take no empty key.
//!
//! # Checkpoints
//!
//! A checkpoint never goes back, and a timestamp of 64 bits cannot say that of a pair of 64 bits each. So each is a row of
//! its own, in descending order of (offset, complete through, turn), and the first one counts: a zombie's row lies behind
//! it. `turn` tells apart those that stand at the same place. See [`checkpoints`].
//!
//! # Consistency
//!
//! Reads and writes of rows meet in a quorum: who reads a checkpoint finds everything below it. With a data centre set it
//! is that data centre's (`LOCAL_QUORUM`). What no setting gives, and what was tried on which engine, is said in
//! `docs/CQL.md`.

mod builds;
mod checkpoints;
mod cluster;
mod config;
mod dump;
mod failure;
mod lease;
mod plan;
pub mod schema;
pub mod statements;
mod store;
mod vault;

pub use builds::{Builds, Opened};
pub use cluster::{Cluster, Figures};
pub use config::{Config, ConnectError, Login, Replication, Tls};
pub use lease::ScyllaLeases;
pub use store::ScyllaStore;
pub use vault::ScyllaVault;
