//! Random schedules of writers, doors, crashes, zombies, ghosts, readers and damage in a store without atomic commits,
//! at scaled limits, against an oracle that deduplicates the log plainly.

use std::collections::BTreeSet;
use std::io::Write;

use corral_domain::outcome::{Opening, Refusal};
use corral_domain::{BuildId, Outcome, Position, RunState};
use corral_read_store::layout::Row;
use corral_read_store::state::{self, OutcomeRow, RunStateRow};
use corral_read_store::{MemoryStore, ReadStore, outcome};

use crate::limits::Limits;
use crate::rebuild::{Plan, rebuild};
use crate::testing::reader::{Answer, Reader, head_of};
use crate::testing::{ONE, command, oracle, stream};
use crate::verify::verify;

mod client;
mod world;

use world::{Mode, World};

/// What all schedules of a test reached together.
#[derive(Default)]
struct Reached {
    states: BTreeSet<u64>,
    schedules: u64,
    crashes: u64,
    zombies: u64,
    reloads: u64,
    reads: u64,
    seals: u64,
    turns: u64,
    sets_max: usize,
    /// Items that are not whole.
    lost: u64,
    /// Openings by their answer.
    openings: BTreeSet<String>,
}

fn run_all(mode: Mode, seeds: std::ops::Range<u64>) -> Reached {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut reached = Reached::default();
    for seed in seeds {
        runtime.block_on(async {
            let mut world = World::new(seed, mode);
            world.run().await;
            check(&mut world, &mut reached).await;
        });
    }
    let Reached { states, schedules, crashes, zombies, reloads, reads, seals, turns, sets_max, lost, openings } =
        &reached;
    // Shown by a green run too.
    let _ = writeln!(
        std::io::stderr(),
        "{mode:?}: {schedules} schedules, {} distinct states, {crashes} crashes, {zombies} zombies, {reloads} reloads, \
         {reads} reads, {seals} seals, {turns} turns, at most {sets_max} sets a level, {lost} items not whole, {openings:?}",
        states.len()
    );
    reached
}

fn same(seed: u64, what: &str, found: &Answer, expected: &oracle::Expected) {
    assert_eq!(found.series, expected.series, "seed {seed}: {what} at {}", found.at);
}

async fn check(world: &mut World, reached: &mut Reached) {
    let seed = world.seed;
    for (run, answer) in std::mem::take(&mut world.answers) {
        let log = &world.logged[..answer.at.0 as usize];
        same(seed, "a read on the way", &answer, &oracle::expect(run, log, &world.holes, &world.limits()));
        reached.reads += 1;
    }
    for run in 0..world::RUNS {
        let expected = oracle::expect(run, &world.logged, &world.holes, &world.limits());
        same(seed, "the end", &Reader::new(&world.store, run).finish().await, &expected);
        let Some(head) = head_of(&world.store, run).await else { continue };
        assert_eq!((head.gap_items, head.objects), (expected.gaps, expected.objects), "seed {seed}");
        opened(world, run, &expected, &head).await;
        reached.lost += expected.gaps;
        let answer = |answer: Result<(Opening, i64), Refusal>| match answer {
            Ok((how, step)) => format!("{how:?}{}", if step > 0 { " later" } else { "" }),
            Err(why) => format!("{why:?}"),
        };
        reached.openings.extend(expected.writers.values().filter_map(|own| own.opened).map(answer));
        let sets = head.levels.iter().map(|level| level.sets.len()).max().unwrap_or_default();
        reached.sets_max = reached.sets_max.max(sets);
        reached.seals += u64::from(head.seals);
        reached.turns += head.turn;
    }
    world.check_clients();
    rebuilt(world).await;
    reached.states.extend(&world.states);
    reached.schedules += 1;
    reached.crashes += world.crashes;
    reached.zombies += world.zombies;
    reached.reloads += world.reloads;
}

/// How each writer's opening was answered, and what that made of the run.
async fn opened(world: &World, run: u8, expected: &oracle::Expected, head: &RunStateRow) {
    let seed = world.seed;
    let now = (head.take.0, head.next_step, head.state != RunState::Running as u8);
    // Without a take there is no state.
    let ended = expected.ended || expected.take == 0;
    assert_eq!(now, (expected.take, expected.next_step, ended), "seed {seed}");
    for (writer, own) in &expected.writers {
        let key = state::outcome_key(&stream(run), command(*writer));
        let row = world.store.get(&key).await.expect("a get");
        let found = row.map(|row| outcome::from_row(&OutcomeRow::decode(&row).expect("a row")).expect("an outcome"));
        let found = found.map(|outcome| match outcome {
            Outcome::RunOpened { how, next_step, .. } => Ok((how, next_step)),
            Outcome::RunRefused { why, .. } => Err(why),
            Outcome::ProjectName { .. } => panic!("seed {seed}: a run's outcome is a name's"),
        });
        assert_eq!(found, own.opened, "seed {seed}: writer {writer}");
    }
}

/// A store of its own, other batches, no crash: equal to the last byte.
async fn rebuilt(world: &World) {
    for (turn, records_max) in [[(0, 1)], [(1, 50)]][world.seed as usize % 2] {
        let store = MemoryStore::new();
        let plan = Plan {
            build: BuildId(5),
            limits: Limits { commit_records_max: records_max, ..world.limits() },
            clock: corral_tasks::ManualClock::default().clock(),
            seed: world.seed + turn,
            until: Position::default(),
        };
        let into = std::sync::Arc::new(store.clone());
        let position = rebuild(world.log.clone(), into, plan, &|_, _, _| {}).await.expect("a rebuild");
        assert_eq!(position.0[&ONE].0, world.logged.len() as u64);
        if let Err(error) = verify(&world.store, &store).await {
            panic!("seed {}: {error}", world.seed);
        }
    }
}

#[test]
fn schedules_with_crashes_and_zombies() {
    let reached = run_all(Mode::Plain, 0..1_500);
    assert!(reached.states.len() > 10_000 && reached.crashes > 1_000 && reached.zombies > 500);
    assert!(reached.seals > 5_000 && reached.turns > reached.seals, "merges happen");
    assert!(reached.reloads > 50, "somebody was ahead of whoever sealed or merged");
}

#[test]
fn schedules_of_large_runs() {
    let reached = run_all(Mode::Big, 10_000..10_500);
    assert!(reached.sets_max <= Limits::small().level_sets + 2, "{} sets", reached.sets_max);
}

#[test]
fn schedules_with_takes_and_labels() {
    let reached = run_all(Mode::Takes, 20_000..21_000);
    assert!(reached.lost > 5_000);
    let all = ["Created", "Exists", "Joined", "Joined later", "Missing", "NewTake", "Resumed", "Resumed later"];
    assert_eq!(reached.openings.iter().map(String::as_str).collect::<Vec<_>>(), all);
}

#[test]
fn schedules_with_holes() {
    run_all(Mode::Hole, 30_000..31_000);
}

/// A few of each: what the planted bugs are tried on.
#[test]
fn the_suite_in_small() {
    run_all(Mode::Plain, 0..60);
    run_all(Mode::Big, 10_000..10_010);
    run_all(Mode::Hole, 30_000..30_020);
}
