//! What an append to Kafka costs: `cargo run --release -p corral-event-log-kafka --example measure`, with `make engines`
//! running. Lone appends first, each awaited before the next, then many at a time; on one broker, on loopback.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the real clock")]

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use corral_domain::{Micros, Offset, Partition};
use corral_event_log::{Clock, EventLog, LogError};
use corral_event_log_kafka::{KafkaLog, KafkaSettings, Options};
use tokio::task::JoinSet;

const PARTITIONS: u16 = 4;
const LONE: usize = 1_000;
const BUSY_APPENDERS: usize = 256;
const BUSY_APPENDS_EACH: usize = 40;
const READ_BYTES: usize = 4 << 20;

fn clock() -> Clock {
    Arc::new(|| Micros(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)))
}

fn brokers() -> Result<String, Box<dyn std::error::Error>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.engines/run.json");
    let run = std::env::var_os("CORRAL_ENGINES").map_or(root, PathBuf::from);
    let told: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(run)?)?;
    Ok(told["kafka"]["bootstrap"].as_str().ok_or("the run file names no broker")?.to_owned())
}

/// Appends awaited one by one; how long each took, in order of length.
async fn lone(log: &KafkaLog, record: &Bytes) -> Result<Vec<Duration>, LogError> {
    let mut took = Vec::with_capacity(LONE);
    for _ in 0..LONE {
        let from = Instant::now();
        log.append(Partition(0), vec![record.clone()]).await?;
        took.push(from.elapsed());
    }
    took.sort();
    Ok(took)
}

/// Records a second, from so many appenders at a time.
async fn busy(log: &Arc<KafkaLog>, record: &Bytes) -> Result<f64, LogError> {
    let from = Instant::now();
    let mut appenders = JoinSet::new();
    for appender in 0..BUSY_APPENDERS {
        let (log, record) = (Arc::clone(log), record.clone());
        let partition = Partition(appender as u16 % PARTITIONS);
        appenders.spawn(async move {
            for _ in 0..BUSY_APPENDS_EACH {
                log.append(partition, vec![record.clone()]).await?;
            }
            Ok(())
        });
    }
    for ended in appenders.join_all().await {
        ended?;
    }
    Ok((BUSY_APPENDERS * BUSY_APPENDS_EACH) as f64 / from.elapsed().as_secs_f64())
}

/// MB/s of one reader, from the start to the end of a partition.
async fn read(log: &KafkaLog) -> Result<f64, LogError> {
    let (from, mut next, mut bytes) = (Instant::now(), Offset::ZERO, 0);
    loop {
        let batch = log.read(Partition(0), next, READ_BYTES).await?;
        if batch.records.is_empty() {
            return Ok(bytes as f64 / from.elapsed().as_secs_f64() / 1e6);
        }
        bytes += batch.records.iter().map(|record| record.bytes.len()).sum::<usize>();
        next = batch.next;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let topic = format!("measure-{}", uuid::Uuid::new_v4());
    let settings = KafkaSettings { partitions: PARTITIONS, replicas: 1, ..KafkaSettings::new(brokers()?, topic) };
    let log = Arc::new(KafkaLog::open(settings, Options { clock: clock(), trace: None }).await?);
    let mut out = std::io::stdout();
    for bytes in [1_024, 64 * 1_024] {
        let record = Bytes::from(vec![7; bytes]);
        // The first append of a producer waits for its number and for metadata.
        log.append(Partition(0), vec![record.clone()]).await?;
        let took = lone(&log, &record).await?;
        let [p50, p90, p99] = [50, 90, 99].map(|share| took[LONE * share / 100]);
        writeln!(out, "lone append of {bytes} bytes: p50 {p50:.2?}, p90 {p90:.2?}, p99 {p99:.2?}")?;
        let rate = busy(&log, &record).await?;
        let throughput = rate * bytes as f64 / 1e6;
        writeln!(out, "{BUSY_APPENDERS} appenders of {bytes} bytes: {rate:.0} records/s, {throughput:.0} MB/s")?;
    }
    writeln!(out, "one reader: {:.0} MB/s", read(&log).await?)?;
    Ok(())
}
