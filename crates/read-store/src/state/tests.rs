//! The state's rows as they lie in stores: a version of before is refused, so that its store is set aside and built again.

use super::*;
use crate::layout::Row;

fn state() -> RunStateRow {
    let launch = Launch { id: "l".to_owned(), step: 7 };
    RunStateRow { log_epoch: LogEpoch(3), take: Take(1), launches: vec![launch], ..RunStateRow::default() }
}

#[test]
fn the_second_version_of_a_runs_state() {
    let bytes = state().encode();
    assert_eq!(RunStateRow::decode(&bytes), Ok(state()));
    // Version; epoch, applied through, append time, no project, take; then the launches.
    assert_eq!(bytes[..26], [&[2, 3][..], &[0; 20], &[1, 0, 0, 0]].concat());
    assert_eq!(bytes[26..43], [1, 0, 0, 0, 1, 0, 0, 0, b'l', 7, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn the_first_version_is_not_read() {
    let first = [&[1][..], &state().encode()[1..]].concat();
    let error = RunStateRow::decode(&first.into()).unwrap_err();
    assert_eq!(error.to_string(), "RunStateRow: has a version that this build does not read");
}
