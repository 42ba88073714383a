//! Each planted bug turns the suite red: the same binary again, with the bug switched on.

use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// Whether the suite in small is green.
fn passes(bug: &str) -> bool {
    let this = std::env::current_exe().expect("this binary");
    let mut command = Command::new(this);
    command.args(["--exact", "schedules::the_suite_in_small"]).env("CORRAL_PLANTED_BUG", bug);
    let output = command.stdin(Stdio::null()).output().expect("a run of the suite");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("running 1 test"), "the suite is in this binary: {text}");
    output.status.success()
}

#[track_caller]
fn finds(bug: &str) {
    static GREEN: LazyLock<bool> = LazyLock::new(|| passes("none"));
    assert!(*GREEN, "red without a bug");
    assert!(!passes(bug), "the suite does not find planted bug {bug}");
}

#[test]
fn bug_6_a_high_water_mark_that_is_kept_only_in_memory() {
    finds("6");
}

#[test]
fn bug_8_a_checkpoint_that_is_written_before_the_rows() {
    finds("8");
}

#[test]
fn bug_10_a_high_water_mark_that_jumps_over_a_gap() {
    finds("10");
}

#[test]
fn bug_12_a_nan_that_is_compared_by_value() {
    finds("12");
}
