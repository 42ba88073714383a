//! A store that was changed by hand makes the verification fail, whatever was changed.

use std::sync::Arc;

use corral_domain::run::Resume;
use corral_domain::{BuildId, Position};
use corral_read_store::{Checkpoint, MemoryStore, Mutation, WriteBatch};

use super::*;
use crate::limits::Limits;
use crate::rebuild::{Plan, rebuild};
use crate::testing::{self, Driven, Item, Logged, ONE, append};

async fn stores() -> (MemoryStore, MemoryStore) {
    let (log, live, rebuilt) = (testing::log(), MemoryStore::new(), MemoryStore::new());
    let opened = Item::Opened { launch: "l".to_owned(), label: String::new(), resume: Resume::Unspecified };
    let mut items = vec![opened, Item::Register(0), Item::Register(1), Item::Object, Item::Config(1)];
    items.extend((0..203).map(|at| Item::Points(vec![(0, f64::from(at)), (1, f64::NAN)])));
    for (seq, item) in (1..).zip(items) {
        append(&log, Logged { run: 0, writer: 1, first: seq, items: vec![item] }.bytes()).await;
    }
    Driven::new(&log, &live, &Limits::small(), 7).finish().await;
    let plan = Plan {
        build: BuildId(5),
        limits: Limits::small(),
        clock: corral_tasks::ManualClock::default().clock(),
        seed: 1,
        until: Position::default(),
    };
    rebuild(log, Arc::new(rebuilt.clone()), plan, &|_, _, _| {}).await.expect("a rebuild");
    (live, rebuilt)
}

/// Every row that a state names, changed by hand or taken away, is found, and its table is named.
#[test]
fn a_store_changed_by_hand_fails() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let (live, rebuilt) = stores().await;
        let counts = verify(&live, &rebuilt).await.expect("equal stores");
        let tables = ["state", "tail", "set_directory", "set_block", "chunk", "metric", "series_stat", "run_head"];
        assert!(tables.iter().all(|table| counts.0[table] > 0), "{counts:?}");
        for table in Table::ALL.into_iter().filter(|table| counts.0[table.name()] > 0) {
            for (round, value) in [(0, None), (2, Some(Bytes::from_static(b"\x01changed")))] {
                let mut side = Side::new(&live, table);
                let row = side.peek().await.expect("a dump").expect("a row that is named");
                let before = live.get(&row.key).await.expect("a get");
                let write = |value, more| Mutation::one(row.key.clone(), value, row.timestamp + more);
                let put = async |mutation| {
                    let batch = WriteBatch { derived: vec![mutation], state: Vec::new() };
                    live.commit(ONE, batch, Checkpoint::default()).await.expect("a commit");
                };
                let gone = value.is_none();
                put(write(value, round + 1)).await;
                match verify(&live, &rebuilt).await {
                    Err(Unequal::Different(found)) => assert!(found.iter().any(|one| one.table == table || !gone)),
                    Err(Unequal::Unreadable(_)) => assert!(!gone, "{table:?}"),
                    Ok(_) => panic!("{table:?}: a changed row was not found"),
                }
                put(write(before, round + 2)).await;
                assert_eq!(verify(&live, &rebuilt).await.expect("equal again"), counts);
            }
        }
    });
}
