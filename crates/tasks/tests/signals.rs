//! The first signal drains, the second exits at once: seen from outside, on a process of its own (this test, run again).
#![allow(clippy::unwrap_used, reason = "tests, outside of a test module")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use corral_tasks::{Kind, Tasks, signal};

const ROLE: &str = "CORRAL_SIGNALS_TEST_ROLE";

/// The child: a door that ends when it is told, or one that never does.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let code = runtime.block_on(async {
        let tasks = Tasks::new();
        signal::watch(&tasks).unwrap();
        let told = tasks.shutdown(Kind::Door);
        tasks.spawn("door", Kind::Door, async move {
            told.cancelled().await;
            say("told");
            if role == "hangs" {
                std::future::pending::<()>().await;
            }
            Ok(())
        });
        say("ready");
        tasks.run().await
    });
    // A test cannot hand back an exit code.
    let drained = format!("{code:?}") == format!("{:?}", std::process::ExitCode::from(0));
    std::process::exit(if drained { 7 } else { 8 });
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{line}").unwrap();
    out.flush().unwrap();
}

fn start(role: &str) -> (Child, impl FnMut(&str)) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env(ROLE, role)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let wait_for = move |word: &str| assert!(lines.any(|line| line.unwrap() == word), "the child never said {word}");
    (child, wait_for)
}

fn send(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn the_first_signal_drains() {
    for signal in ["-TERM", "-INT"] {
        let (mut child, mut wait_for) = start("ends");
        wait_for("ready");
        send(&child, signal);
        wait_for("told");
        assert_eq!(child.wait().unwrap().code(), Some(7), "{signal}");
    }
}

#[test]
fn the_second_signal_exits_at_once() {
    let (mut child, mut wait_for) = start("hangs");
    wait_for("ready");
    send(&child, "-TERM");
    wait_for("told");
    send(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
