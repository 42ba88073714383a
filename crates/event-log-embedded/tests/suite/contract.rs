//! The contract, on real files and on the simulated disk: with segments that hold all and with tiny ones.

use std::sync::Arc;

use corral_event_log::contract::Fixture;
use corral_event_log::{Clock, EventLog, event_log_contract};
use corral_event_log_embedded::disk::DiskStorage;
use corral_event_log_embedded::sim::SimStorage;
use corral_event_log_embedded::{EmbeddedLog, Options};

struct DiskFixture {
    dir: tempfile::TempDir,
    segment_bytes_max: u64,
}

impl DiskFixture {
    fn new(segment_bytes_max: u64) -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory"), segment_bytes_max }
    }
}

impl Fixture for DiskFixture {
    fn open(&self, clock: Clock) -> Arc<dyn EventLog> {
        let storage = DiskStorage::open(self.dir.path()).expect("the directory has no owner");
        let options = Options { segment_bytes_max: self.segment_bytes_max, ..Options::new(clock) };
        Arc::new(EmbeddedLog::open(Arc::new(storage), options).expect("the log opens"))
    }
    fn keeps(&self) -> bool {
        true
    }
}

struct SimFixture {
    disk: SimStorage,
    segment_bytes_max: u64,
}

impl SimFixture {
    fn new(segment_bytes_max: u64) -> Self {
        Self { disk: SimStorage::default(), segment_bytes_max }
    }
}

impl Fixture for SimFixture {
    fn open(&self, clock: Clock) -> Arc<dyn EventLog> {
        let options = Options { segment_bytes_max: self.segment_bytes_max, ..Options::new(clock) };
        Arc::new(EmbeddedLog::open(Arc::new(self.disk.clone()), options).expect("the log opens"))
    }
    fn keeps(&self) -> bool {
        true
    }
}

event_log_contract!(disk, DiskFixture::new(1 << 20));
event_log_contract!(disk_with_tiny_segments, DiskFixture::new(2_048));
event_log_contract!(sim, SimFixture::new(1 << 20));
event_log_contract!(sim_with_tiny_segments, SimFixture::new(2_048));
