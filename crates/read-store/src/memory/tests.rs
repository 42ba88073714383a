//! The contract in both modes, and what CQL mode promises to tests.

use std::sync::Arc;

use corral_domain::Offset;

use super::*;
use crate::contract::{Store, at, differential, key};

crate::read_store_contract!(atomic, || (Arc::new(MemoryStore::new()) as Store, ()));
crate::read_store_contract!(cql_mode, || (Arc::new(MemoryStore::cql(1)) as Store, ()));

#[tokio::test]
async fn both_modes_agree() {
    for seed in 0..40 {
        let stores = [("atomic", MemoryStore::new()), ("cql", MemoryStore::cql(seed))];
        let stores = stores.map(|(name, store)| (name, Arc::new(store) as Store));
        differential::agree(&stores, seed, 120).await;
    }
}

const ONE: Partition = Partition(1);

/// Four derived rows, two of state, a checkpoint.
fn batch() -> WriteBatch {
    let row = |table, name: u8| Mutation::one(key(table, b"p", &[name]), Some(Bytes::from(vec![name])), 1);
    WriteBatch {
        derived: (0..4).map(|name| row(Table::Tail, name)).collect(),
        state: (0..2).map(|name| row(Table::State, name)).collect(),
    }
}
async fn there(store: &MemoryStore) -> (usize, usize, Option<Checkpoint>) {
    let count = |table| store.lock().scan(table, b"p", &Range::all(99)).len();
    (count(Table::Tail), count(Table::State), store.checkpoint(ONE).await.unwrap())
}

#[tokio::test]
async fn steps_apply_one_mutation_at_a_time_phase_by_phase() {
    let store = MemoryStore::cql(3);
    let mut steps = store.steps(ONE, batch(), at(9));
    let mut seen = Vec::new();
    assert_eq!(steps.remaining(), 7);
    while let Some(phase) = steps.phase() {
        assert!(steps.apply_next());
        seen.push(phase);
        let (derived, state, checkpoint) = there(&store).await;
        assert_eq!(derived + state + usize::from(checkpoint.is_some()), seen.len());
    }
    assert!(!steps.apply_next());
    use Phase::{Checkpoint as C, Derived as D, State as S};
    assert_eq!(seen, [D, D, D, D, S, S, C]);
}

#[tokio::test]
async fn mutations_of_a_phase_come_in_an_order_that_the_seed_says() {
    let order = |seed| MemoryStore::cql(seed).steps(ONE, batch(), at(9)).into_phase();
    assert_eq!(order(5), order(5));
    assert!((0..20).any(|seed| order(seed) != order(5)));
}

#[tokio::test]
async fn a_planned_crash_loses_and_delays_parts_of_its_phase_and_all_of_later_ones() {
    let (mut lost, mut late) = (0, 0);
    for seed in 0..200 {
        let store = MemoryStore::cql(seed);
        store.crash_after(1 + seed % 4);
        let crashed = store.commit(ONE, batch(), at(9)).await;
        assert!(matches!(crashed, Err(StoreError::Unavailable(_))), "{crashed:?}");
        let (derived, state, checkpoint) = there(&store).await;
        assert_eq!(checkpoint, None);
        if seed % 4 < 3 {
            assert_eq!(state, 0, "the state's phase had not begun");
        }
        let ghosts = store.ghosts();
        late += ghosts;
        lost += usize::from(seed % 4 < 3 && derived + ghosts < 4);
        while store.apply_ghost() {}
        let (derived_now, state_now, _) = there(&store).await;
        assert_eq!(derived_now + state_now, derived + state + ghosts);
        // The crash was one: the next commit repairs everything.
        store.commit(ONE, batch(), at(9)).await.unwrap();
        assert_eq!(there(&store).await, (4, 2, Some(at(9))));
    }
    assert!(lost > 50 && late > 50, "{lost} lost, {late} late");
}

#[tokio::test]
async fn the_plan_decides_every_fate() {
    for (plan, expect) in [
        (CrashPlan { lost: 1.0, late: 0.0 }, (0, 0)),
        (CrashPlan { lost: 0.0, late: 1.0 }, (0, 4)),
        (CrashPlan { lost: 0.0, late: 0.0 }, (4, 0)),
    ] {
        let store = MemoryStore::cql(1);
        store.plan(plan);
        store.crash_after(0);
        store.commit(ONE, batch(), at(9)).await.unwrap_err();
        assert_eq!((there(&store).await.0, store.ghosts()), expect, "{plan:?}");
    }
}

#[tokio::test]
async fn a_zombie_and_its_late_mutations_never_bring_back_the_past() {
    let store = MemoryStore::cql(7);
    let head = key(Table::State, b"p", b"h");
    let at_offset = |offset: u64| WriteBatch {
        derived: Vec::new(),
        state: vec![Mutation::one(head.clone(), Some(Bytes::from(vec![offset as u8])), offset)],
    };
    let mut zombie = store.steps(ONE, at_offset(4), at(4));
    let ghost = store.steps(ONE, at_offset(5), at(5)).into_phase();
    store.commit(ONE, at_offset(8), at(8)).await.unwrap();
    while zombie.apply_next() {}
    ghost.iter().for_each(|step| store.arrive(step));
    assert_eq!(store.get(&head).await.unwrap().as_deref(), Some(&[8][..]));
    assert_eq!(store.checkpoint(ONE).await.unwrap().unwrap().offset, Offset(8));
}
