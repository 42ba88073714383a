//! Pushes between Corrals in this process: what the target shows is what the source showed, however often and wherever a
//! push is killed.

#[path = "suite/clashes.rs"]
mod clashes;
// The same logs that the archive is tested with.
#[allow(dead_code)]
#[path = "../../../crates/archive/tests/suite/common.rs"]
mod common;
#[path = "suite/door.rs"]
mod door;
#[path = "suite/dump.rs"]
mod dump;
#[path = "suite/once.rs"]
mod once;
#[path = "suite/world.rs"]
mod world;
