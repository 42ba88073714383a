//! Power cuts at every moment of a small log's life, and of its recovery: what was acknowledged is there, a batch is
//! whole or not there, the log opens, and recovering twice is recovering once.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use corral_domain::{Append, Offset, Partition};
use corral_event_log::EventLog;
use corral_event_log_embedded::EmbeddedLog;
use corral_event_log_embedded::sim::faults::{Faults, FaultyStorage};
use corral_event_log_embedded::sim::{Image, SimStorage};

use crate::common::{PARTITIONS, View, open, options, payload, poll_once, report, view};

/// What the log was told, and when it said that it was done.
#[derive(Default)]
struct Told {
    /// One entry for each append: its records, and the moment by which it was acknowledged.
    appends: Vec<(Append, Vec<Bytes>, usize)>,
    /// Start of a partition that was answered to a trim, and the moment.
    trims: Vec<(Partition, Offset, usize)>,
}

impl Told {
    fn record(&self, partition: usize, offset: u64) -> Option<&Bytes> {
        let of_partition = self.appends.iter().filter(|(at, ..)| usize::from(at.partition.0) == partition);
        of_partition.filter_map(|(at, records, _)| records.get(offset.checked_sub(at.offset.0)? as usize)).next()
    }
}

struct Workload {
    sim: SimStorage,
    faults: Arc<Faults>,
    log: EmbeddedLog,
    told: Told,
    next_payload: u64,
}

impl Workload {
    fn new() -> Self {
        let sim = SimStorage::default();
        let (storage, faults) = FaultyStorage::new(sim.clone());
        Self { log: open(storage), sim, faults, told: Told::default(), next_payload: 0 }
    }

    fn records(&mut self, count: u64) -> Vec<Bytes> {
        self.next_payload += count;
        (self.next_payload - count..self.next_payload).map(payload).collect()
    }

    async fn append(&mut self, partition: Partition, count: u64) {
        let records = self.records(count);
        let at = self.log.append(partition, records.clone()).await.expect("the append is acknowledged").first();
        self.told.appends.push((at, records, self.sim.now()));
    }

    /// Three appends that one sync covers: they wait while the sync of one before them is held up.
    async fn append_group(&mut self, partition: Partition) {
        let parts = [self.records(1), self.records(2), self.records(3), self.records(1)];
        self.faults.shut();
        let [a, b, c, d] = parts.clone().map(|records| self.log.append(partition, records));
        let (mut a, mut b, mut c, mut d) = (pin!(a), pin!(b), pin!(c), pin!(d));
        assert!(poll_once(a.as_mut()).is_none());
        self.faults.wait_for_sync();
        let early = [poll_once(a.as_mut()), poll_once(b.as_mut()), poll_once(c.as_mut()), poll_once(d.as_mut())];
        self.faults.open();
        assert!(early.iter().all(Option::is_none), "acknowledged before its sync: {early:?}");
        for (records, place) in parts.into_iter().zip([a.await, b.await, c.await, d.await]) {
            self.told.appends.push((place.expect("the append is acknowledged").first(), records, self.sim.now()));
        }
    }

    async fn trim(&mut self, partition: Partition, below: u64) {
        let start = self.log.trim(partition, Offset(below)).await.expect("the trim is done");
        self.told.trims.push((partition, start, self.sim.now()));
    }
}

async fn workload() -> (SimStorage, Told) {
    let mut work = Workload::new();
    for round in 0..9_u64 {
        work.append(Partition(0), 1 + round % 3).await;
        work.append_group(Partition(0)).await;
        work.append(Partition(1), 1 + round % 2).await;
        if round == 5 {
            work.trim(Partition(0), 21).await;
        }
    }
    work.trim(Partition(0), 40).await;
    work.append(Partition(0), 2).await;
    assert!(work.told.trims.iter().all(|(_, start, _)| start.0 > 0), "the trims did something");
    work.log.close();
    (work.sim, work.told)
}

/// Holds what a log shows after a power cut against what it was told before.
fn check(views: &[View], told: &Told, moment: usize, what: &str) {
    for (partition, view) in views.iter().enumerate() {
        assert_eq!(view.holes, vec![], "{what}: a power cut leaves no hole");
        assert_eq!(view.records.len() as u64, view.tail - view.start, "{what}: every offset is served");
        for (offset, (_, bytes)) in &view.records {
            let expected = told.record(partition, *offset);
            assert!(expected == Some(bytes), "{what}: partition {partition}, offset {offset}: not what was appended");
        }
        let own = |at: &Partition| usize::from(at.0) == partition;
        for (at, records, acknowledged) in told.appends.iter().filter(|(at, ..)| own(&at.partition)) {
            let end = at.offset.0 + records.len() as u64;
            if *acknowledged <= moment {
                assert!(end <= view.tail, "{what}: partition {partition}: lost acknowledged [{}, {end})", at.offset);
            }
            let visible = (at.offset.0..end).filter(|offset| view.records.contains_key(offset)).count();
            assert!(visible == 0 || visible == records.len(), "{what}: {visible} of {} of a batch", records.len());
        }
        let trims: Vec<_> = told.trims.iter().filter(|(at, ..)| own(at)).collect();
        let done = trims.iter().filter(|(.., when)| *when <= moment).map(|(_, start, _)| start.0).max();
        let asked = trims.iter().map(|(_, start, _)| start.0).max();
        let bounds = done.unwrap_or(0)..=asked.unwrap_or(0);
        assert!(bounds.contains(&view.start), "{what}: partition {partition}: starts at {}", view.start);
    }
}

/// Opens an image, or opens it twice; answers what it showed and the disk of the first opening.
async fn recover(image: &Image, twice: bool, what: &str) -> (Vec<View>, SimStorage) {
    let sim = SimStorage::new(image.clone());
    let log = EmbeddedLog::open(Arc::new(sim.clone()), options()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let views = view(&log).await;
    drop(log);
    if !twice {
        return (views, sim);
    }
    let once = sim.live();
    let again = SimStorage::new(once.clone());
    let log = open(again.clone());
    assert_eq!(view(&log).await, views, "{what}: recovered twice");
    drop(log);
    assert!(again.live() == once, "{what}: a second recovery writes nothing new");
    (views, sim)
}

/// The log goes on where it ended.
async fn append_after(sim: SimStorage, views: &[View], what: &str) {
    let log = open(sim);
    for (partition, view) in (0..PARTITIONS).map(Partition).zip(views) {
        let at = log.append(partition, vec![payload(1_000)]).await.expect("the append is acknowledged").first();
        assert_eq!(at.offset.0, view.tail, "{what}");
        let batch = log.read(partition, at.offset, 1).await.expect("the read is answered");
        assert_eq!(batch.records[0].bytes, payload(1_000));
        let last = view.records.last_key_value().map(|(_, (time, _))| *time);
        assert!(last.is_none_or(|last| last < batch.records[0].append_time), "{what}: append times rise");
    }
}

#[tokio::test]
async fn no_power_cut_loses_what_was_acknowledged() {
    let (sim, told) = workload().await;
    let history = sim.history();
    let (mut images, mut during_recovery) = (HashMap::<_, Vec<View>>::new(), HashSet::new());
    for moment in 0..history.moments() {
        for (part, image) in history.crash(moment).images(6, moment as u64) {
            let what = format!("power cut behind operation {moment}, {part}");
            // An image that an earlier moment could leave too is held against what was acknowledged since.
            if let Some(views) = images.get(&image.digest()) {
                check(views, &told, moment, &what);
                continue;
            }
            let thorough = images.len().is_multiple_of(4);
            let (views, recovered) = recover(&image, thorough, &what).await;
            check(&views, &told, moment, &what);
            if images.len().is_multiple_of(8) {
                let recovery = recovered.history();
                for second in 0..recovery.moments() {
                    for (part, image) in recovery.crash(second).images(2, second as u64) {
                        if during_recovery.insert(image.digest()) && !images.contains_key(&image.digest()) {
                            let what = format!("{what}, and in its recovery behind {second}, {part}");
                            let (again, _) = recover(&image, false, &what).await;
                            assert_eq!(again, views, "{what}: the state after two crashes is the state after one");
                        }
                    }
                }
            }
            if thorough {
                append_after(recovered, &views, &what).await;
            }
            images.insert(image.digest(), views);
        }
    }
    report(&format!("{} distinct images, {} more during recovery", images.len(), during_recovery.len()));
    assert!(images.len() >= 500, "only {} distinct images", images.len());
    assert!(during_recovery.len() >= 100, "only {} distinct images during recovery", during_recovery.len());
}
