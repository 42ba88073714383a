//! Projections: events in, rows out.

mod json;
pub mod limits;
mod load;
mod planted;
pub mod policy;
mod project;
mod run;
pub mod runner;
mod seal;
mod stage;
