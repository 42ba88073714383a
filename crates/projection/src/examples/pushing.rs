//! A record that was pushed from another log means what it meant there: its append time, and the holes before it.

use std::sync::Arc;

use bytes::Bytes;
use corral_domain::{Envelope, EventType, LogId, Pushed};
use corral_event_log::memory::MemoryLog;
use corral_event_log::{EventLog, Hole};
use corral_read_store::run::RunHeadRow;

use super::*;
use crate::testing::{EPOCH, ONE, PROJECT, envelope};

/// As a push makes them: everything else stays.
fn pushed(record: &corral_event_log::Record, after_hole: bool) -> Bytes {
    let envelope = corral_event_codec::decode_envelope(&record.bytes).expect("an envelope");
    let pushed = Pushed {
        log_id: LogId::from_bytes([8; 16]),
        log_epoch: EPOCH,
        partition: ONE,
        offset: record.offset,
        append_time: record.append_time,
        after_hole,
    };
    corral_event_codec::encode_envelope(&Envelope { pushed: Some(pushed), ..envelope })
}

/// A run whose items 6 to 9 lie in a hole, with a heartbeat at its end.
async fn source() -> Arc<MemoryLog> {
    let log = testing::log();
    for logged in [opening(1), record(1, 2, 5), record(1, 6, 9), record(1, 10, 12), record(1, 12, 14)] {
        append(&log, logged.bytes()).await;
    }
    append(&log, envelope(stream(0), EventType::RunHeartbeat, None, Bytes::new())).await;
    log.damage(Hole { partition: ONE, from: corral_domain::Offset(2), to: corral_domain::Offset(3) }).expect("damage");
    log
}

async fn series(store: &MemoryStore) -> reader::Answer {
    reader::Reader::new(store, 0).finish().await
}

async fn head(store: &MemoryStore) -> RunHeadRow {
    let key = corral_read_store::run::head_key(ORGANIZATION, PROJECT, &run_id(0));
    RunHeadRow::decode(&store.get(&key).await.expect("a get").expect("a head")).expect("a row")
}

#[test]
fn what_was_pushed_once_or_twice_is_what_it_was() {
    block_on(async {
        let (log, store, limits) = (source().await, MemoryStore::new(), Limits::default());
        Driven::new(&log, &store, &limits, 1).finish().await;
        let there = (head(&store).await, series(&store).await.series);

        let (target, pushed_store) = (testing::log(), MemoryStore::new());
        for seed in 0..2 {
            let batch = log.read(ONE, corral_domain::Offset::ZERO, usize::MAX).await.expect("a read");
            for record in &batch.records {
                append(&target, pushed(record, record.offset.0 > 2)).await;
            }
            Driven::new(&target, &pushed_store, &limits, seed).finish().await;
            assert_eq!(there, (head(&pushed_store).await, series(&pushed_store).await.series));
        }
    });
}
