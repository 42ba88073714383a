//! The log in memory keeps the contract, and shows the damage that it is told of.

use std::sync::Arc;

use corral_domain::{LogEpoch, LogId};

use super::*;
use crate::contract::Fixture;

fn identity() -> LogIdentity {
    LogIdentity { log_id: LogId::from_bytes([9; 16]), log_epoch: LogEpoch(1), partitions: 4 }
}

struct MemoryFixture;

impl Fixture for MemoryFixture {
    fn open(&self, clock: Clock) -> Arc<dyn EventLog> {
        Arc::new(MemoryLog::new(identity(), clock))
    }
    fn keeps(&self) -> bool {
        false
    }
}

crate::event_log_contract!(keeps_the_contract, MemoryFixture);

#[tokio::test]
async fn reads_jump_a_hole_and_name_it() {
    let log = MemoryLog::new(identity(), Arc::new(|| Micros(1)));
    let partition = Partition(2);
    log.append(partition, (0..10_u8).map(|byte| Bytes::from(vec![byte])).collect()).await.unwrap();
    let hole = Hole { partition, from: Offset(3), to: Offset(5) };
    let last = Hole { partition, from: Offset(9), to: Offset(10) };
    log.damage(last).unwrap();
    log.damage(hole).unwrap();
    assert_eq!(log.extent(partition).await.unwrap().holes, vec![hole, last]);
    let batch = log.read(partition, Offset(2), 100).await.unwrap();
    let offsets: Vec<u64> = batch.records.iter().map(|record| record.offset.0).collect();
    assert_eq!((offsets, batch.next, batch.holes), (vec![2, 5, 6, 7, 8], Offset(10), vec![hole, last]));
    log.trim(partition, Offset(6)).await.unwrap();
    let left = Extent { start: Offset(6), tail: Offset(10), holes: vec![last], late_us_max: COMPLETE_THROUGH_LAG_US };
    assert_eq!(log.extent(partition).await.unwrap(), left);
}
