//! Each planted bug turns the suite red: the same binary again, with the bug switched on.

use std::process::{Command, Stdio};

/// Whether the suite in small is green.
fn suite(bug: &str) -> bool {
    let this = std::env::current_exe().expect("this binary");
    let mut command = Command::new(this);
    command.args(["--exact", "schedules::the_suite_in_small"]).env("CORRAL_PLANTED_BUG", bug);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.expect("a run of the suite").success()
}

#[test]
fn each_bug_turns_the_suite_red() {
    assert!(suite(""), "green without a bug");
    for bug in ["6", "8", "10", "12"] {
        assert!(!suite(bug), "bug {bug} was not found");
    }
}
