//! Every outcome comes back from its row.

use corral_domain::ProjectId;

use super::*;

#[test]
fn every_outcome_comes_back_from_its_row() {
    let run: RunId = "a-run".parse().unwrap();
    let project = ProjectId::from_bytes([3; 16]);
    let opened = |how| Outcome::RunOpened { run: run.clone(), project, how, take: Take(4), next_step: i64::MAX };
    let refused = |why| Outcome::RunRefused { run: run.clone(), why };
    let all = [
        Outcome::ProjectName { project, won: true },
        Outcome::ProjectName { project, won: false },
        opened(Opening::Created),
        opened(Opening::Joined),
        opened(Opening::Resumed),
        opened(Opening::NewTake),
        refused(Refusal::OtherProject),
        refused(Refusal::Exists),
        refused(Refusal::Missing),
    ];
    for outcome in all {
        let row = to_row(&outcome, Offset(7), Micros(9));
        let row = OutcomeRow::decode(&row.encode()).unwrap();
        assert_eq!(from_row(&row).unwrap(), outcome);
        assert_eq!((row.offset, row.append_time), (Offset(7), Micros(9)));
    }
    assert!(from_row(&OutcomeRow { kind: 9, ..OutcomeRow::default() }).is_err());
    assert!(from_row(&OutcomeRow { kind: 1, ..OutcomeRow::default() }).is_err(), "a name without its project");
}
