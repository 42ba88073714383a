//! The suite of the embedded log: one binary, so that the planted bugs can run every part of it again.

#[path = "suite/contract.rs"]
mod contract;
