//! A projector as a process of its own: says on its output what it owns, and at its end what happened to it.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use corral_domain::Partition;
use corral_event_log_kafka::KafkaHub;
use corral_ownership::{Lease, Ownership, Settings, Timing};
use corral_projection::limits::Limits;
use corral_projection::runner::Handles;
use corral_projector::Projector;
use corral_tasks::{Clock, Kind, Tasks};

mod world;

use world::{Opened, PARTITIONS, Places};

fn say(words: &str) {
    let mut out = std::io::stdout().lock();
    let said = writeln!(out, "{words}").and_then(|()| out.flush());
    said.expect("somebody listens");
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let (tasks, clock) = (Tasks::new(), Clock::system());
    corral_tasks::signal::watch(&tasks).expect("signals");
    let places = std::env::args().nth(1).expect("an argument");
    let places = Places(serde_json::from_str(&places).expect("the argument is JSON"));
    let Opened { log, store, build, leases } = world::open(&places, false).await;
    let stamp = clock.clone();
    let hub = KafkaHub::start(&places.kafka(), (Arc::new(move || stamp.now()), &tasks)).expect("a hub");
    let address = format!("127.0.0.1:{}", std::process::id());
    let settings = Settings { partitions: PARTITIONS, address, timing: Timing::default() };
    let lease = Lease::start(leases, settings, (&clock, &tasks));
    // Seals and merges every few records, so that whoever sleeps wakes in the middle of one.
    let handles = Handles { log, store, hub, clock, build, limits: Limits::small() };
    let projector = Projector::share(handles, lease.clone(), &tasks);
    let (told, watched) = (tasks.shutdown(Kind::Telemetry), lease.clone());
    tasks.spawn("what is owned", Kind::Telemetry, async move {
        let mut before = None;
        while !told.is_cancelled() {
            let now: Vec<String> = watched.owned().now().iter().map(Partition::to_string).collect();
            if before.as_ref() != Some(&now) {
                say(&format!("owns {}", now.join(" ")));
                before = Some(now);
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        Ok(())
    });
    let code = tasks.run().await;
    let figures = projector.ownership();
    say(&format!("end evicted={} lapsed={} handed_over={}", figures.evicted, figures.lapsed, figures.handed_over));
    code
}
