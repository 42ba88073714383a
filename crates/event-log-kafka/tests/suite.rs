//! The suite of the Kafka log, against a real broker: `make test` starts it, or `make engines` in another terminal.

#[path = "suite/alarms.rs"]
mod alarms;
#[path = "suite/archive.rs"]
mod archive;
#[path = "suite/broker.rs"]
mod broker;
#[path = "suite/contract.rs"]
mod contract;
#[path = "suite/hub.rs"]
mod hub;
#[path = "suite/opening.rs"]
mod opening;
#[path = "suite/secure.rs"]
mod secure;
#[path = "suite/support.rs"]
mod support;
