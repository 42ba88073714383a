//! The archive against logs in memory: what it holds, whatever it dies at, and that a rebuild from it is a rebuild.

#[path = "suite/common.rs"]
mod common;
#[path = "suite/crashes.rs"]
mod crashes;
#[path = "suite/damage.rs"]
mod damage;
#[path = "suite/log.rs"]
mod log;
#[path = "suite/rebuild.rs"]
mod rebuild;
