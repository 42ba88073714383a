//! The suite of the embedded log: one binary, so that the planted bugs can run every part of it again.

#[path = "suite/bit_flips.rs"]
mod bit_flips;
#[path = "suite/common.rs"]
mod common;
#[path = "suite/contract.rs"]
mod contract;
#[path = "suite/damage.rs"]
mod damage;
#[path = "suite/failures.rs"]
mod failures;
#[path = "suite/fixtures.rs"]
mod fixtures;
#[cfg(feature = "planted")]
#[path = "suite/planted.rs"]
mod planted;
#[path = "suite/power_loss.rs"]
mod power_loss;
