//! Each thing once, within a bound.

use super::*;

#[test]
fn each_thing_is_said_once_and_every_thing_is() {
    let mut warnings = Warnings::default();
    assert_eq!(warnings.line("refused", "a", "run a was refused").as_deref(), Some("run a was refused"));
    assert_eq!(warnings.line("refused", "b", "run b was refused").as_deref(), Some("run b was refused"));
    assert_eq!(warnings.line("refused", "a", "run a was refused"), None);
    assert_eq!(warnings.line("item", "a", "an item of a").as_deref(), Some("an item of a"));
    assert_eq!(warnings.rest(), None);
}

#[test]
fn what_is_beyond_the_bound_is_counted_in_one_line() {
    let mut warnings = Warnings::default();
    let said = (0..100).filter_map(|run| warnings.line("refused", &format!("run {run}"), "refused")).count();
    assert_eq!(said, SAID_MAX);
    assert_eq!((0..100).filter_map(|run| warnings.line("refused", &format!("run {run}"), "refused")).count(), 0);
    assert_eq!(warnings.rest().as_deref(), Some("more warnings that were not shown: 84 of sort \"refused\""));
    assert_eq!(warnings.rest(), None, "they are told once");
    for thing in 0..3 * TOLD_APART_MAX {
        warnings.line("value", &thing.to_string(), "unfit");
    }
    assert!(warnings.0["value"].about.len() <= TOLD_APART_MAX, "memory has a bound");
}

#[test]
fn a_name_cannot_begin_a_line_of_its_own() {
    let line = Warnings::default().line("value", "", "bad\nname\u{1b}[2J: left out").expect("a line");
    assert_eq!(line, "bad\u{fffd}name\u{fffd}[2J: left out");
}
