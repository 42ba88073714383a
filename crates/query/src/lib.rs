//! Questions about projects, runs and their history, answered from the read store; nothing here writes, and nothing here
//! sees the event log.
//!
//! ```text
//! request -> freshness (wait for not_before) -> state -> pieces, sets, tail -> state again -> buckets or points -> answer
//! nudge -> watch -> subscription -> what lies above the position sent
//! ```
//!
//! Rights are checked before: every call takes the organization, and another tenant's object is not found. A field that
//! cannot be honoured is refused by its name ([`QueryError::Unsupported`]).

pub mod answer;
pub mod ask;
pub mod bucket;
pub mod engine;
pub mod error;
pub mod live;

mod cache;
mod dictionary;
mod freshness;
mod history;
mod metric;
mod order;
mod pieces;
mod planted;
mod project;
mod rows;
mod run;
mod run_table;
mod series;
mod tail;
#[cfg(test)]
mod testing;
mod token;
mod watch;

pub use answer::{
    BucketColumns, Columns, Figure, HistoryAnswer, Meta, Metric, Project, ProjectsAnswer, Run, RunAnswer, RunWriter,
    RunsAnswer, Series,
};
pub use ask::{Freshness, HistoryQuery, OrderBy, ProjectsQuery, RunField, RunOrder, RunQuery, RunsQuery, XAxis};
pub use engine::{Engine, Options};
pub use error::QueryError;
pub use live::{Answer, Body, Query, Subscription};
