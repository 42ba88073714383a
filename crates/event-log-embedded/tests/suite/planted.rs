//! Bugs planted on purpose: for each, the part of the suite that looks for it has to turn red.
//!
//! Each runs in a process of its own, this very binary again, because the bug is chosen by a variable. The same parts
//! have to be green there without a bug, so that red means the bug and nothing else.

use std::process::{Command, Stdio};

/// Runs one test of this binary with a bug; true if it passed.
fn passes(test: &str, bug: &str) -> bool {
    let binary = std::env::current_exe().expect("a test knows its own binary");
    let mut command = Command::new(binary);
    command.args(["--exact", test, "--nocapture"]).env("CORRAL_PLANTED_BUG", bug);
    let output = command.stdin(Stdio::null()).output().expect("the binary starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("running 1 test"), "{test} is a test of this binary: {text}");
    output.status.success()
}

fn finds(bug: &str, tests: &[&str]) {
    for test in tests {
        assert!(passes(test, "none"), "{test} is red without a bug");
        assert!(!passes(test, bug), "{test} does not find planted bug {bug}");
    }
}

#[test]
fn bug_1_an_acknowledgement_before_fdatasync() {
    finds("1", &["failures::an_append_is_not_acknowledged_or_seen_before_its_sync"]);
    assert!(!passes("power_loss::no_power_cut_loses_what_was_acknowledged", "1"));
}

#[test]
fn bug_2_a_crc_that_is_not_checked() {
    finds("2", &["bit_flips::a_flip_under_an_open_log_is_found_by_who_reads_it"]);
    assert!(!passes("bit_flips::every_flip_is_found_when_the_log_is_opened", "2"));
}

#[test]
fn bug_3_a_recovery_that_truncates_though_valid_records_follow() {
    finds("3", &["bit_flips::every_flip_is_found_when_the_log_is_opened"]);
}

#[test]
fn bug_4_a_directory_that_is_not_synced() {
    finds("4", &["power_loss::no_power_cut_loses_what_was_acknowledged"]);
}

#[test]
fn bug_5_an_unlink_before_the_start_is_durable() {
    assert!(!passes("power_loss::no_power_cut_loses_what_was_acknowledged", "5"));
}
