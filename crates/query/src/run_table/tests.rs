//! A list is complete, sorted and fresh, and its pages neither skip nor repeat.

use corral_domain::Value;
use corral_read_store::run::SummaryValue;
use corral_read_store::{MemoryStore, Mutation, ReadStore, WriteBatch};

use super::*;
use crate::testing::{ORGANIZATION, PROJECT, SMALL, World, run_id};
use crate::{Freshness, Run};

fn query(page_size: u32, order: Option<RunOrder>) -> RunsQuery {
    RunsQuery { project: PROJECT.to_string(), page_size, order, ..RunsQuery::default() }
}

fn ids(runs: &[Run]) -> Vec<String> {
    runs.iter().map(|run| run.id.to_string()).collect()
}

/// Writes a head that the plain program does not know, at offset `at` of its run's partition.
async fn put_head(store: &MemoryStore, run: &RunId, head: &RunHeadRow, at: u64) {
    let partition = corral_domain::StreamKey::run(ORGANIZATION, run).partition(4);
    let key = run::head_key(ORGANIZATION, PROJECT, run);
    let before = store.checkpoint(partition).await.expect("reads").unwrap_or_default();
    let batch = WriteBatch { derived: vec![Mutation::one(key, Some(head.encode()), at)], state: Vec::new() };
    let checkpoint = corral_read_store::Checkpoint { offset: before.offset.next(), ..before };
    store.commit(partition, batch, checkpoint).await.expect("commits");
}

fn summary(value: Value) -> SummaryValue {
    SummaryValue { kind: value.column_type() as u8, bits: value.to_bits(), text: String::new() }
}

#[tokio::test]
async fn runs_sort_by_a_figure_with_what_is_missing_last_in_both_directions() {
    let mut world = World::new(SMALL);
    world.open(&run_id("opened")).await;
    let figures = [
        ("one", Some(Value::F64(1.5))),
        ("nan", Some(Value::F64(f64::NAN))),
        ("big", Some(Value::U64((1 << 53) + 1))),
        ("almost", Some(Value::F64(9_007_199_254_740_992.0))),
        ("tie", Some(Value::I64(-3))),
        ("equal", Some(Value::I64(-3))),
        ("none", None),
    ];
    for (name, value) in figures {
        let summary = value.map(|value| ("acc".to_owned(), summary(value))).into_iter().collect();
        let head = RunHeadRow { project: PROJECT, take: corral_domain::Take(1), summary, ..RunHeadRow::default() };
        put_head(&world.store, &run_id(name), &head, 1).await;
    }
    let by = OrderBy::Summary("acc".to_owned());
    for (descending, expect) in [
        (false, ["equal", "tie", "one", "almost", "big", "nan", "none", "opened"]),
        (true, ["big", "almost", "one", "equal", "tie", "nan", "none", "opened"]),
    ] {
        let order = RunOrder { by: by.clone(), descending };
        let mut all = Vec::new();
        let mut asked = query(3, Some(order));
        loop {
            let answer = world.engine.runs(ORGANIZATION, &asked).await.expect("answers");
            assert_eq!(answer.total, 8);
            all.extend(ids(&answer.runs));
            if answer.next_page_token.is_empty() {
                break;
            }
            asked.page_token = answer.next_page_token;
        }
        assert_eq!(all, expect);
    }
}

#[tokio::test]
async fn pages_keep_their_order_while_every_key_moves() {
    let mut world = World::new(SMALL);
    let names: Vec<RunId> = (0..40).map(|i| run_id(&format!("r{i:02}"))).collect();
    for name in &names {
        world.open(name).await;
    }
    let order = RunOrder { by: OrderBy::Field(RunField::LastActive), descending: true };
    let mut asked = query(7, Some(order));
    let mut seen = Vec::new();
    let mut page = 0;
    loop {
        let answer = world.engine.runs(ORGANIZATION, &asked).await.expect("answers");
        seen.extend(ids(&answer.runs));
        if answer.next_page_token.is_empty() {
            break;
        }
        asked.page_token = answer.next_page_token;
        // What was not seen yet moves to the front, and more runs come.
        world.log(&names[page * 3], "loss", &[(page as i64, 1.0)]).await;
        world.open(&run_id(&format!("new{page}"))).await;
        page += 1;
    }
    let mut sorted: Vec<String> = seen.iter().filter(|id| id.starts_with('r')).cloned().collect();
    sorted.sort();
    assert_eq!(sorted, names.iter().map(ToString::to_string).collect::<Vec<_>>(), "each once");
}

#[tokio::test]
async fn a_page_goes_on_by_its_key_when_the_order_is_forgotten() {
    let mut world = World::new(SMALL);
    for i in 0..10 {
        world.open(&run_id(&format!("r{i}"))).await;
    }
    let first = world.engine.runs(ORGANIZATION, &query(4, None)).await.expect("answers");
    let options = crate::Options { partitions: 4, log_epoch: corral_domain::LogEpoch(0) };
    let store = Arc::new(world.store.clone());
    let other = crate::Engine::new(store, world.hub.clone(), world.clock.clock(), options);
    let next = RunsQuery { page_token: first.next_page_token, ..query(4, None) };
    let second = other.runs(ORGANIZATION, &next).await.expect("answers");
    assert_eq!(ids(&second.runs), ["r5", "r4", "r3", "r2"]);
    let elsewhere = RunsQuery { order: Some(RunOrder { descending: false, ..RunOrder::default() }), ..next };
    let refused = other.runs(ORGANIZATION, &elsewhere).await;
    assert!(matches!(refused, Err(QueryError::Invalid { field: "page_token", .. })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn the_table_is_as_fresh_as_the_checkpoint_whatever_the_hub_loses() {
    let mut world = World::new(SMALL);
    for round in 0..6_u64 {
        world.tell = round % 2 == 0;
        world.open(&run_id(&format!("r{round}"))).await;
        world.log(&run_id("r0"), "loss", &[(round as i64, 1.0)]).await;
        let partition = world.partition(&run_id("r0"));
        let freshness = Freshness::default();
        let answer =
            world.engine.runs(ORGANIZATION, &RunsQuery { freshness, ..query(0, None) }).await.expect("answers");
        assert_eq!(answer.total, round + 1);
        let r0 = answer.runs.iter().find(|run| run.id == run_id("r0")).expect("listed");
        assert_eq!(r0.points, round + 1);
        let checkpoint = world.store.checkpoint(partition).await.expect("reads").expect("one");
        assert_eq!(answer.meta.position.0[&partition], checkpoint.offset);
    }
}

#[tokio::test]
async fn a_project_is_found_by_its_id_before_its_row_is_and_others_are_not_found() {
    let mut world = World::new(SMALL);
    world.open(&run_id("one")).await;
    assert_eq!(world.engine.runs(ORGANIZATION, &query(0, None)).await.expect("answers").total, 1);
    for asked in ["nobody", "00000000000000000000000000000009"] {
        let refused = world.engine.runs(ORGANIZATION, &RunsQuery { project: asked.to_owned(), ..query(0, None) }).await;
        assert!(matches!(refused, Err(QueryError::NotFound { what: "project", .. })), "{refused:?}");
    }
    let other = OrganizationId::from_bytes([9; 16]);
    let refused = world.engine.runs(other, &query(0, None)).await;
    assert!(matches!(refused, Err(QueryError::NotFound { what: "project", .. })), "{refused:?}");
    let refused = world.engine.runs(ORGANIZATION, &query(1_001, None)).await;
    assert!(matches!(refused, Err(QueryError::Invalid { field: "page_size", .. })), "{refused:?}");
}
