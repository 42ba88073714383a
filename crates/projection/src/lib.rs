//! Projections: events in, rows out.

mod dice;
mod json;
pub mod limits;
mod load;
mod merge;
mod metric;
mod planted;
pub mod policy;
mod project;
pub mod rebuild;
mod run;
pub mod runner;
pub mod said;
mod seal;
mod set;
mod stage;
pub mod verify;

#[cfg(test)]
mod examples;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod testing;

pub use rebuild::{Plan, rebuild};
pub use verify::{Counts, Difference, Unequal, verify};
