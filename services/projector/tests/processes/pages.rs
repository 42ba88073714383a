//! A page in one process, the projector in another: what is logged is shown soon where the hub joins them, and within a second
//! (and what the store takes) where it does not.

use std::sync::Arc;
use std::time::Duration;

use corral_event_log_kafka::{KafkaHub, KafkaSettings};
use corral_hub::Hub;
use corral_query::live::{Body, Query, Subscription};
use corral_query::{Engine, Options, RunQuery};
use corral_tasks::{Clock, Tasks};

use crate::ALONE;
use crate::projector::{Projector, WAIT, places};
use crate::trainer::{ORGANIZATION, Trainer};
use crate::world::{self, Opened};

const POINTS: usize = 20;

/// The engine behind a page, in this process.
fn engine(opened: &Opened, hub: Hub, tasks: &Tasks) -> Engine {
    let identity = opened.log.identity();
    let options = Options { partitions: identity.partitions, log_epoch: identity.log_epoch };
    let engine = Engine::new(opened.store.clone(), hub, Clock::system(), options);
    engine.start(tasks);
    engine
}

/// Waits until the page shows so many points.
async fn shows(subscription: &mut Subscription, points: u64) {
    let shows = async {
        loop {
            let answer = subscription.next().await.expect("an answer").expect("a living page");
            if matches!(answer.body, Body::Run(run) if run.run.points >= points) {
                return;
            }
        }
    };
    tokio::time::timeout(WAIT, shows).await.expect("the point is shown");
}

/// How long each point took from its acknowledgement to the page, the quickest first.
async fn delays(opened: &Opened, engine: &Engine, mut trainer: Trainer) -> Vec<Duration> {
    let freshness = corral_query::Freshness::default();
    trainer.open(&*opened.log).await;
    trainer.step(&*opened.log).await;
    let query = || Query::Run(RunQuery { freshness: freshness.clone(), run: trainer.run.clone() });
    let mut subscription = engine.subscribe(ORGANIZATION, query()).expect("a page");
    // A run that is not there yet is an error, and a page that asks again.
    let found = async {
        while subscription.next().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            subscription = engine.subscribe(ORGANIZATION, query()).expect("a page");
        }
    };
    tokio::time::timeout(WAIT, found).await.expect("the run is there");
    let mut delays = Vec::new();
    for at in 0..POINTS {
        // At another moment between two looks each time.
        tokio::time::sleep(Duration::from_millis(300 + 70 * at as u64)).await;
        trainer.step(&*opened.log).await;
        let acknowledged = Clock::system();
        shows(&mut subscription, trainer.points).await;
        delays.push(acknowledged.monotonic());
    }
    delays.sort_unstable();
    delays
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_moves_with_the_hub_and_without_it() {
    let _one = ALONE.lock().await;
    let places = places();
    let (opened, tasks) = (world::open(&places, true).await, Tasks::new());
    let projector = Projector::start(&places);
    let stamp = || {
        let clock = Clock::system();
        Arc::new(move || clock.now())
    };
    let joined = KafkaHub::start(&places.kafka(), (stamp(), &tasks)).expect("a hub");
    // A port that nobody listens on: bound, and given up.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    let nowhere = KafkaSettings { brokers: format!("127.0.0.1:{port}"), ..places.kafka() };
    let dead = KafkaHub::start(&nowhere, (stamp(), &tasks)).expect("a hub");
    let engines = [engine(&opened, joined.clone(), &tasks), engine(&opened, dead.clone(), &tasks)];
    let (with, without) =
        tokio::join!(delays(&opened, &engines[0], Trainer::new(1)), delays(&opened, &engines[1], Trainer::new(2)),);
    eprintln!(
        "with the hub {:?} median, {:?} at most; without {:?}, {:?}",
        with[POINTS / 2],
        with[POINTS - 1],
        without[POINTS / 2],
        without[POINTS - 1]
    );
    assert!(joined.figures().batches_heard > 0 && dead.figures().batches_heard == 0);
    // That a look finds it within a second is tested with the query engine, in time that stands still; here the store takes
    // its own time, and a busy machine more of it.
    assert!(with[POINTS / 2] < Duration::from_millis(500), "{with:?}");
    assert!(without[POINTS / 2] < Duration::from_secs(1), "{without:?}");
    assert!(with[POINTS / 2] < without[POINTS / 2], "{with:?}, without {without:?}");
    tasks.stop(0);
    tokio::time::timeout(WAIT, tasks.run()).await.expect("an end");
    projector.end().await;
}
