//! Projectors as processes of their own, on a real Kafka and a real Cassandra: `make test` starts both, or `make engines` in
//! another terminal.

mod pages;
mod projector;
mod stopped;
mod trainer;
mod world;

/// Tests take their turns: they measure time on one machine.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
