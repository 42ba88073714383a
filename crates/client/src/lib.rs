//! The client: what a training program links.
//!
//! The way of a `log()` call: [`Run::log`] writes a row into the spool (a mapped ring, `corral-spool`) and returns; it never
//! waits for a network, and what it returned for survives the process. A thread, the **shipper**, reads each writer's
//! items back in seq order, makes rows of one set of metrics into columns (`batch`), sends them over one stream for all
//! runs and tells the spool what the server acknowledged as durable. A server that is dead, slow or restarted changes
//! nothing for the caller. Rings that ended processes left behind are adopted and sent the same way.
//!
//! [`Query`] asks the server; it waits for what this process's acknowledgements cover.

pub mod batch;
mod client;
mod connect;
mod item;
mod naming;
mod query;
mod row;
mod run;
mod settings;
mod shared;
mod shipper;
mod tls;
mod warning;

pub use client::Client;
pub use connect::{Authorize, connect};
pub use naming::{LAUNCH_VARIABLE, Launch, launch, run_name, system_random, ulid};
pub use query::{Query, QueryError};
pub use row::{ROW_COLUMNS_MAX, Row};
pub use run::{OpenRun, Progress, Run};
pub use settings::{Settings, credentials_key, default_dir};
pub use shared::OpenedRun;

/// The machine's wall clock, in microseconds since the Unix epoch.
pub fn now_us() -> i64 {
    corral_tasks::Clock::system().now().0
}

/// Why the client cannot do what it was asked. Nothing of this is ever raised by `log()`.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(transparent)]
    Spool(#[from] corral_spool::SpoolError),
    #[error(transparent)]
    Invalid(#[from] corral_event_codec::InvalidEvent),
    #[error("{what}: {source}")]
    Io { what: &'static str, source: std::io::Error },
    #[error("the run has at most {max} metrics")]
    TooManyMetrics { max: u32 },
    #[error("{0}")]
    Url(String),
    #[error("the run is finished")]
    Finished,
}
