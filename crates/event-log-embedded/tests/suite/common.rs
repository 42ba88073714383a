//! What the parts of the suite share: opening a small log, looking at all of it.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use corral_domain::{Micros, Partition};
use corral_event_log::contract::read_all;
use corral_event_log::{Clock, EventLog, Extent, Hole};
use corral_event_log_embedded::storage::Storage;
use corral_event_log_embedded::{EmbeddedLog, Options};

/// Small, so that a log of a few kilobytes has several segments.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 1_800;
pub(crate) const PARTITIONS: u16 = 2;

/// A clock that ticks once each time it is asked.
pub(crate) fn ticking_clock() -> Clock {
    let now = AtomicI64::new(1_700_000_000_000_000);
    Arc::new(move || Micros(now.fetch_add(1_000, Ordering::SeqCst)))
}

pub(crate) fn options() -> Options {
    Options { partitions: PARTITIONS, segment_bytes_max: SEGMENT_BYTES_MAX, clock: ticking_clock() }
}

pub(crate) fn open(storage: impl Storage) -> EmbeddedLog {
    EmbeddedLog::open(Arc::new(storage), options()).expect("the log opens")
}

pub(crate) fn payload(index: u64) -> Bytes {
    let mut bytes = format!("record {index} ").into_bytes();
    bytes.extend((0..index * 37 % 220).map(|i| (i * 31 + index) as u8));
    bytes.into()
}

/// Polls a future once, as a task would that then goes on to something else.
pub(crate) fn poll_once<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// What a log shows of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub start: u64,
    pub tail: u64,
    pub records: BTreeMap<u64, (Micros, Bytes)>,
    pub holes: Vec<Hole>,
}

impl View {
    pub(crate) fn is_in_hole(&self, offset: u64) -> bool {
        self.holes.iter().any(|hole| (hole.from.0..hole.to.0).contains(&offset))
    }
}

pub(crate) async fn view(log: &EmbeddedLog) -> Vec<View> {
    let mut views = Vec::new();
    for partition in (0..log.identity().partitions).map(Partition) {
        let Extent { start, tail, .. } = log.extent(partition).await.expect("the extent");
        let records = read_all(log, partition, start, 700).await;
        let records = records.into_iter().map(|record| (record.offset.0, (record.append_time, record.bytes))).collect();
        // Reading may have found more of them.
        let Extent { holes, .. } = log.extent(partition).await.expect("the extent");
        views.push(View { start: start.0, tail: tail.0, records, holes });
    }
    views
}

/// A figure for whoever runs the suite with `--nocapture`.
pub(crate) fn report(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
