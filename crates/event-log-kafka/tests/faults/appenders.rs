//! Appenders that keep on, and what they were told: to be held against what is in the log.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use corral_domain::{Offset, Partition};
use corral_event_log::contract::read_all;
use corral_event_log::{EventLog, LogError};
use tokio::task::JoinSet;

const APPENDERS_EACH: u16 = 4;

pub(crate) struct Appenders {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Vec<Told>>,
}

/// One append that was acknowledged in the end.
struct Told {
    partition: Partition,
    records: Vec<Bytes>,
    offsets: Vec<Offset>,
    /// How often it failed before.
    failures: u32,
    took: Duration,
}

pub(crate) struct Report(Vec<Vec<Told>>);

impl Appenders {
    /// Some for each partition; each appends one to four records at a time and waits for the answer.
    pub(crate) fn start(log: &Arc<dyn EventLog>, partitions: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for appender in 0..partitions * APPENDERS_EACH {
            let (log, stop) = (Arc::clone(log), Arc::clone(&stop));
            tasks.spawn(async move {
                let mut told = Vec::new();
                let mut next = 0;
                while !stop.load(Ordering::Relaxed) {
                    let records: Vec<_> =
                        (next..=next + next % 4).map(|n| Bytes::from(format!("{appender}/{n}"))).collect();
                    next += records.len();
                    told.push(append(&*log, Partition(appender % partitions), records).await);
                }
                told
            });
        }
        Self { stop, tasks }
    }

    pub(crate) async fn stop(self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        Report(self.tasks.join_all().await)
    }
}

#[allow(clippy::disallowed_methods)]
async fn append(log: &dyn EventLog, partition: Partition, records: Vec<Bytes>) -> Told {
    let mut failures = 0;
    let mut longest = Duration::ZERO;
    loop {
        let from = Instant::now();
        let end = log.append(partition, records.clone()).await;
        longest = longest.max(from.elapsed());
        match end {
            Ok(appended) => return Told { partition, records, offsets: appended.offsets, failures, took: longest },
            Err(LogError::Unavailable(_)) => failures += 1,
            Err(error) => panic!("an append ended for good: {error}"),
        }
    }
}

impl Report {
    fn all(&self) -> impl Iterator<Item = &Told> {
        self.0.iter().flatten()
    }

    pub(crate) fn longest(&self) -> Duration {
        self.all().map(|told| told.took).max().unwrap_or_default()
    }

    /// Acknowledged appends of the partition with the fewest.
    pub(crate) fn appended_each(&self, partitions: u16) -> usize {
        let of = |partition| self.all().filter(|told| told.partition == Partition(partition)).count();
        (0..partitions).map(of).min().unwrap_or_default()
    }

    /// Holds the log against what was told.
    pub(crate) async fn check(&self, log: &dyn EventLog) {
        for partition in 0..log.identity().partitions {
            let partition = Partition(partition);
            let records = read_all(log, partition, Offset::ZERO, 1 << 20).await;
            assert!(records.iter().zip(0..).all(|(record, at)| record.offset == Offset(at)), "every offset is there");
            let mut found: BTreeMap<&Bytes, u32> = BTreeMap::new();
            for record in &records {
                *found.entry(&record.bytes).or_default() += 1;
            }
            for told in self.all().filter(|told| told.partition == partition) {
                for (record, offset) in told.records.iter().zip(&told.offsets) {
                    let at = records.get(offset.0 as usize).map(|record| &record.bytes);
                    assert_eq!(at, Some(record), "acknowledged at {offset} of partition {partition}");
                    let times = found.remove(record).expect("it is there");
                    let most = 1 + told.failures;
                    assert!(times <= most, "{record:?} is there {times} times after {} failures", told.failures);
                }
            }
            assert!(found.is_empty(), "never appended: {found:?}");
        }
        for appender in &self.0 {
            let offsets: Vec<Offset> = appender.iter().flat_map(|told| &told.offsets).copied().collect();
            assert!(offsets.is_sorted_by(|a, b| a < b), "an appender's records lie in its order");
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut took: Vec<Duration> = self.all().map(|told| told.took).collect();
        took.sort();
        let at = |share: usize| took.get(took.len() * share / 100).copied().unwrap_or_default();
        let failures: u32 = self.all().map(|told| told.failures).sum();
        write!(
            f,
            "{} appends acknowledged, {failures} made again; p50 {:.1?}, p99 {:.1?}, longest {:.1?}",
            took.len(),
            at(50),
            at(99),
            self.longest()
        )
    }
}
