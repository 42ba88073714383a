//! The one binary `corral`: configuration, wiring, start and shutdown; no logic of its own about runs.
//!
//! ```text
//! cli -> config -> serve: bind -> log, store -> projector -> query -> doors -> announce -> wait -> drain
//! ```
//!
//! Path of a point through the process: `listen` accepts its connection, `routes` lets it through the gate to the ingest
//! door, the door appends to the event log that `wiring` opened, the projector writes the store behind [`current`], and
//! the query engine reads that for the page and the API.
//!
//! Only [`wiring`] names a backend.

mod admin;
mod announce;
mod archive;
mod cli;
mod config;
mod current;
mod figures;
mod front;
mod listen;
mod local;
mod log_show;
mod parts;
mod rebuild;
mod routes;
mod said;
mod serve;
#[cfg(test)]
mod testing;
mod wiring;

pub use cli::cluster::create_owner;
pub use cli::main;
pub use config::{Config, ConfigError, LogLevel, Role, Roles, Sources};
pub use serve::{Running, StartError};
pub use wiring::OpenError;
