//! Who is warned of, and how often.

use corral_domain::OrganizationId;

use super::*;

fn who(writer: u16) -> Who {
    let stream = StreamKey::run(OrganizationId::from_bytes([1; 16]), &"r".parse().expect("an id"));
    (stream, WriterId::from_bytes([0; 16]), u32::from(writer), "owner".to_owned())
}

#[test]
fn a_writer_that_stays_ahead_is_warned_of_once() {
    let mut ahead = Ahead::default();
    assert!(!ahead.skipped(who(1), Offset(10)));
    assert!(!ahead.skipped(who(1), Offset(9 + AHEAD_LATE_RECORDS_MAX)));
    assert!(ahead.skipped(who(1), Offset(10 + AHEAD_LATE_RECORDS_MAX)));
    ahead.applied(|| who(1));
    for offset in [11, 5_000, 50_000] {
        assert!(!ahead.skipped(who(1), Offset(offset + AHEAD_LATE_RECORDS_MAX)), "once");
    }
}

#[test]
fn a_writer_that_is_only_late_is_not() {
    let mut ahead = Ahead::default();
    assert!(!ahead.skipped(who(1), Offset(10)));
    ahead.applied(|| who(2));
    ahead.applied(|| who(1));
    assert!(!ahead.skipped(who(1), Offset(10 + AHEAD_LATE_RECORDS_MAX)));
    assert!(ahead.skipped(who(1), Offset(10 + 2 * AHEAD_LATE_RECORDS_MAX)));
}

#[test]
fn writers_that_are_watched_are_bounded() {
    let mut ahead = Ahead::default();
    for writer in 0..=AHEAD_WRITERS_COUNT_MAX {
        assert!(!ahead.skipped(who(writer as u16), Offset(1)));
    }
    let late = |ahead: &mut Ahead, writer: usize| ahead.skipped(who(writer as u16), Offset(1 + AHEAD_LATE_RECORDS_MAX));
    assert!(late(&mut ahead, AHEAD_WRITERS_COUNT_MAX - 1));
    assert!(!late(&mut ahead, AHEAD_WRITERS_COUNT_MAX));
}
