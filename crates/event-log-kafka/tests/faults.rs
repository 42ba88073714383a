//! Three brokers, appenders that never rest, and a broker that is killed, stopped or both: nothing acknowledged is lost.
//!
//! An append whose answer was lost is made again by its appender, so what it had may be there twice (the deduplication
//! stage is there for that); a record whose every append was acknowledged at once is there once.

#[path = "faults/appenders.rs"]
mod appenders;
#[path = "faults/cluster.rs"]
mod cluster;
#[path = "suite/support.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use corral_domain::Partition;
use corral_event_log::contract::read_all;
use corral_event_log::{EventLog, LogError};
use corral_event_log_kafka::{KafkaLog, KafkaSettings};

use crate::appenders::Appenders;
use crate::cluster::Cluster;
use crate::support::{open, topic};

const PARTITIONS: u16 = 3;
/// An append's own bound, and a look at what became of it.
const LATER_WITHIN: Duration = Duration::from_secs(40);
/// No append may take longer: twice the brokers' fail-over, and less than an append's own bound.
const APPEND_WITHIN: Duration = Duration::from_secs(15);

fn settings(cluster: &Cluster) -> KafkaSettings {
    KafkaSettings { partitions: PARTITIONS, ..KafkaSettings::new(cluster.bootstrap(), topic("faults")) }
}

async fn seconds(count: u64) {
    tokio::time::sleep(Duration::from_secs(count)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_fail_lose_nothing() {
    let mut cluster = Cluster::start();
    let settings = settings(&cluster);
    let log: Arc<dyn EventLog> = Arc::new(open(&settings).await.expect("it opens"));
    let appenders = Appenders::start(&log, PARTITIONS);
    seconds(2).await;

    let killed = cluster.leader(&settings.topic, Partition(0));
    cluster.signal(&killed, "KILL");
    seconds(8).await;
    cluster.start_again(&killed);
    cluster.wait_in_sync(&settings.topic).await;

    let stopped = cluster.leader(&settings.topic, Partition(1));
    cluster.signal(&stopped, "STOP");
    seconds(10).await;
    cluster.signal(&stopped, "CONT");
    cluster.wait_in_sync(&settings.topic).await;

    let told = appenders.stop().await;
    eprintln!("kafka: three brokers, one killed, one stopped for 10 s: {told}");
    assert!(told.longest() < APPEND_WITHIN, "{told}");
    assert!(told.appended_each(PARTITIONS) > 100, "{told}");
    told.check(&*log).await;

    // Another process finds the same.
    let other = open(&settings).await.expect("it opens again");
    told.check(&other).await;
    too_few_brokers(&mut cluster, &other).await;
}

/// With too few brokers an append is answered "later", in time; nothing is acknowledged; it goes on by itself.
async fn too_few_brokers(cluster: &mut Cluster, log: &KafkaLog) {
    let partition = Partition(2);
    let tail = log.extent(partition).await.expect("the brokers answer").tail;
    for name in ["kafka-1", "kafka-2"] {
        cluster.signal(name, "KILL");
    }
    let append = tokio::time::timeout(LATER_WITHIN, log.append(partition, vec![Bytes::from_static(b"later")]));
    let end = append.await.expect("it is answered in time");
    assert!(matches!(end, Err(LogError::Unavailable(_))), "{end:?}");
    for name in ["kafka-1", "kafka-2"] {
        cluster.start_again(name);
    }
    let again = async { while log.append(partition, vec![Bytes::from_static(b"again")]).await.is_err() {} };
    let (waited, ()) = tokio::join!(log.wait(partition, tail), again);
    waited.expect("who waits for records hears of them");
    let records = read_all(log, partition, tail, 1 << 20).await;
    assert!(records.iter().any(|record| record.bytes == "again"), "{records:?}");
}
