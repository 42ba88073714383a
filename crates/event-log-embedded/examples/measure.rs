//! What the embedded log costs on this machine's disk: `cargo run --release -p corral-event-log-embedded --example
//! measure -- DIR`. It appends, reads and opens a log of 1 GiB in DIR (which it makes and removes); before that, what
//! one append waits for its acknowledgement when few or many append to one partition, some of them with pauses.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the real clock")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use corral_domain::{Micros, Offset, Partition};
use corral_event_log::{Clock, EventLog};
use corral_event_log_embedded::disk::DiskStorage;
use corral_event_log_embedded::sim::faults::FaultyStorage;
use corral_event_log_embedded::{EmbeddedLog, Options};
use tokio::task::JoinSet;

const RECORD_BYTES: usize = 16 * 1024;
const LOG_BYTES: usize = 1 << 30;
const READ_BYTES: usize = 1 << 20;
const WAITS_FOR: Duration = Duration::from_secs(2);

fn clock() -> Clock {
    Arc::new(|| Micros(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)))
}

/// CPU time of this process, user and system.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    10 * fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>()
}

fn report(what: &str, bytes: usize, elapsed: Duration, cpu_ms: u64) {
    let mb_per_second = bytes as f64 / 1e6 / elapsed.as_secs_f64();
    let _ = writeln!(std::io::stdout(), "{what}: {elapsed:.2?}, {mb_per_second:.0} MB/s, {cpu_ms} ms of CPU");
}

/// Appenders of one partition, each waiting for its acknowledgement before it goes on; every other one pauses.
async fn waits(dir: &Path, appenders: usize, pause_ms: u64) -> Result<(), Box<dyn std::error::Error>> {
    let (storage, faults) = FaultyStorage::new(DiskStorage::open(dir)?);
    let log = Arc::new(EmbeddedLog::open(Arc::new(storage), Options::new(clock()))?);
    let record = Bytes::from_static(&[7; 1_000]);
    let (began, mut tasks) = (Instant::now(), JoinSet::new());
    for appender in 0..appenders {
        let (log, record) = (Arc::clone(&log), record.clone());
        tasks.spawn(async move {
            let mut waited = Vec::new();
            while began.elapsed() < WAITS_FOR {
                let asked = Instant::now();
                log.append(Partition(0), vec![record.clone()]).await?;
                waited.push(asked.elapsed());
                if pause_ms > 0 && appender % 2 == 1 {
                    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                }
            }
            Ok::<_, corral_event_log::LogError>(waited)
        });
    }
    let mut waited = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        waited.extend(ended??);
    }
    waited.sort_unstable();
    let at = |share: usize| waited.get(waited.len() * share / 100).copied().unwrap_or_default();
    let per_ack = faults.syncs.load(Ordering::SeqCst) as f64 / waited.len() as f64;
    let (p50, p99) = (at(50), at(99));
    let who = format!("{appenders} appenders, every other one pauses {pause_ms} ms");
    let what = format!("{who}: {} acks, p50 {p50:.2?}, p99 {p99:.2?}, {per_ack:.3} syncs an ack", waited.len());
    let _ = writeln!(std::io::stdout(), "{what}");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = PathBuf::from(std::env::args().nth(1).ok_or("which directory?")?).join("measured-log");
    let open = || -> Result<_, Box<dyn std::error::Error>> {
        let (storage, faults) = FaultyStorage::new(DiskStorage::open(&dir)?);
        Ok((Arc::new(EmbeddedLog::open(Arc::new(storage), Options::new(clock()))?), faults))
    };
    for appenders in [1, 2, 3, 4, 8, 64] {
        for pause_ms in [0, 2] {
            waits(&dir, appenders, pause_ms).await?;
        }
    }
    for (appenders, records, record_bytes) in
        [(1, 500, 1_000), (64, 20_000, 1_000), (64, LOG_BYTES / RECORD_BYTES, RECORD_BYTES)]
    {
        let (log, faults) = open()?;
        let record = Bytes::from((0..record_bytes).map(|i| (i * 7 % 251) as u8).collect::<Vec<_>>());
        let (began, cpu) = (Instant::now(), cpu_ms());
        let mut tasks = JoinSet::new();
        for appender in 0..appenders {
            let (log, record) = (Arc::clone(&log), record.clone());
            tasks.spawn(async move {
                let partition = Partition((appender % 4) as u16);
                for _ in 0..records / appenders {
                    log.append(partition, vec![record.clone()]).await?;
                }
                Ok::<_, corral_event_log::LogError>(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        let syncs = faults.syncs.load(Ordering::SeqCst);
        let what = format!("{records} appends of {record_bytes} bytes by {appenders}, {syncs} syncs");
        report(&what, records * record_bytes, began.elapsed(), cpu_ms() - cpu);
    }
    let (began, cpu) = (Instant::now(), cpu_ms());
    let (log, _) = open()?;
    report("open", LOG_BYTES, began.elapsed(), cpu_ms() - cpu);
    let (began, cpu) = (Instant::now(), cpu_ms());
    let mut bytes = 0;
    for partition in (0..4).map(Partition) {
        let (mut next, tail) = (Offset::ZERO, log.extent(partition).await?.tail);
        while next < tail {
            let batch = log.read(partition, next, READ_BYTES).await?;
            bytes += batch.records.iter().map(|record| record.bytes.len()).sum::<usize>();
            next = batch.next;
        }
    }
    report("read", bytes, began.elapsed(), cpu_ms() - cpu);
    drop(log);
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}
