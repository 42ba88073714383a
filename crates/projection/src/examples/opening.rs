//! What an opening is answered, opening by opening.

use corral_domain::outcome::Opening::{Created, Joined, NewTake, Resumed};
use corral_domain::outcome::{Opening, Refusal};
use corral_domain::run::Resume::{self, Allow, Must, Never, Unspecified};
use corral_domain::{Micros, Outcome, RunState};
use corral_read_store::layout::Row;
use corral_read_store::state::{self, OutcomeRow};
use corral_read_store::{MemoryStore, ReadStore, outcome};

use super::block_on;
use crate::limits::Limits;
use crate::load;
use crate::testing::{self, Driven, Item, Logged, append, command, stream};

/// What a writer does.
enum Does {
    Opens(&'static str, Resume),
    /// As many points, one a step; the first at its next seq.
    Logs(u64),
    Ends,
}
use Does::{Ends, Logs, Opens};

/// Each opening's answer, in order; and whether the run is running then.
fn check(log: &[(u8, Does)], expect: &[Result<(Opening, i64), Refusal>], running: bool) {
    block_on(async {
        let (appended, store) = (testing::log(), MemoryStore::new());
        let (mut next, mut openings) = ([1_u64; 8], Vec::new());
        for (writer, does) in log {
            let first = next[usize::from(*writer)];
            let items = match does {
                Opens(launch, resume) => {
                    openings.push(*writer);
                    vec![Item::Opened { launch: (*launch).to_owned(), label: String::new(), resume: *resume }]
                }
                Logs(count) => {
                    let register = (first == 2).then_some(Item::Register(0));
                    register.into_iter().chain((0..*count).map(|_| Item::Points(vec![(0, 1.0)]))).collect()
                }
                Ends => vec![Item::Finished],
            };
            next[usize::from(*writer)] += items.len() as u64;
            append(&appended, Logged { run: 0, writer: *writer, first, items }.bytes()).await;
        }
        let forgetful = Limits { commit_records_max: 1, streams_max: 0, ..Limits::default() };
        Driven::new(&appended, &store, &forgetful, 1).finish().await;
        let mut found = Vec::new();
        for writer in openings {
            let row = store.get(&state::outcome_key(&stream(0), command(writer))).await.expect("a get");
            let row = OutcomeRow::decode(&row.expect("an outcome")).expect("a row");
            found.push(match outcome::from_row(&row).expect("an outcome") {
                Outcome::RunOpened { how, next_step, .. } => Ok((how, next_step)),
                Outcome::RunRefused { why, .. } => Err(why),
                Outcome::ProjectName { .. } => panic!("a run's outcome is a name's"),
            });
        }
        assert_eq!(found, expect);
        let run = load::load(&store, &stream(0), testing::EPOCH).await.expect("a state");
        assert_eq!(run.head.state == RunState::Running as u8, running);
        assert_eq!((run.info.finished == Micros(0), run.info.exit_code.is_none()), (running, running));
    });
}

/// Ranks begin at one step, whether their openings land before or after what others have logged.
#[test]
fn all_of_a_launch_begin_at_one_step() {
    let log = [
        (1, Opens("a", Unspecified)),
        (1, Logs(3)),
        (2, Opens("a", Unspecified)),
        // Points have their seq as step: 3, 4 and 5.
        (3, Opens("b", Allow)),
        (3, Logs(9)),
        (4, Opens("b", Allow)),
        (5, Opens("b", Unspecified)),
        (6, Opens("a", Never)),
    ];
    let right =
        [Ok((Created, 0)), Ok((Joined, 0)), Ok((Resumed, 6)), Ok((Joined, 6)), Ok((Joined, 6)), Ok((Joined, 0))];
    check(&log, &right, true);
}

#[test]
fn a_run_that_is_opened_again_after_its_end_runs() {
    for (resume, answer) in
        [(Allow, (Resumed, 6)), (Must, (Resumed, 6)), (Unspecified, (Joined, 0)), (Never, (Joined, 0))]
    {
        let log = [(1, Opens("a", Unspecified)), (1, Logs(3)), (1, Ends), (2, Opens("a", resume))];
        check(&log, &[Ok((Created, 0)), Ok(answer)], true);
    }
}

/// Going on is one more beginning: ranks that open then join it there.
#[test]
fn a_launch_that_goes_on_begins_again() {
    let log = [
        (1, Opens("a", Unspecified)),
        (1, Logs(3)),
        (1, Ends),
        (2, Opens("a", Allow)),
        (2, Logs(7)),
        (3, Opens("a", Allow)),
        (3, Ends),
    ];
    check(&log, &[Ok((Created, 0)), Ok((Resumed, 6)), Ok((Joined, 6))], false);
}

#[test]
fn other_launches() {
    let log = [
        (1, Opens("a", Must)),
        (2, Opens("a", Unspecified)),
        (2, Logs(2)),
        (3, Opens("b", Never)),
        (4, Opens("b", Unspecified)),
        (5, Opens("a", Must)),
    ];
    let right = [Err(Refusal::Missing), Ok((Created, 0)), Err(Refusal::Exists), Ok((NewTake, 0)), Ok((Resumed, 0))];
    check(&log, &right, true);
}
