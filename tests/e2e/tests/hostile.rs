//! Hostile inputs: each has its one right answer, the server stays up, and an honest client beside it notices nothing.
//!
//! What can be generated is: every text field of every question and of every item with every hostile text ([`texts`]). The
//! rest is a list ([`calls`], [`streams`]). Nothing that came in reaches the server's log unescaped.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use corral_domain::Value;
use corral_testkit::{Sandbox, Writer, logs};
use tonic::Code;

mod calls;
mod sessions;
mod streams;
mod texts;

/// One input and what came of it: `Err` says how that is not what the table says.
pub(crate) struct Tried {
    pub(crate) name: String,
    pub(crate) end: Result<(), String>,
}

/// Of an answer and what it must be.
pub(crate) fn check<T: PartialEq + std::fmt::Debug>(name: impl Into<String>, given: T, expect: T) -> Tried {
    let end = if given == expect { Ok(()) } else { Err(format!("{given:?} and not {expect:?}")) };
    Tried { name: name.into(), end }
}

/// Of an answer that must be one of several: what is kept as it came, or refused for what it is.
pub(crate) fn check_any<T: PartialEq + std::fmt::Debug>(name: impl Into<String>, given: T, expect: &[T]) -> Tried {
    let end = if expect.contains(&given) { Ok(()) } else { Err(format!("{given:?} and none of {expect:?}")) };
    Tried { name: name.into(), end }
}

pub(crate) fn code<T>(result: Result<T, tonic::Status>) -> Code {
    result.err().map_or(Code::Ok, |status| status.code())
}

/// What one call of the honest client may take on a machine that is busy with the attack and with other tests.
const HONEST_WAIT_MAX: Duration = Duration::from_secs(5);

/// A client that logs all the while; what it was told is durable must be there, once.
async fn honest(sandbox: &Sandbox, done: &AtomicBool) -> u64 {
    let mut writer = Writer::create(sandbox, "honest").await;
    let mut calls = 0;
    while !done.load(Ordering::Relaxed) {
        let values = [("loss", Value::I64(calls))];
        let call = writer.log(calls, &values);
        tokio::time::timeout(HONEST_WAIT_MAX, call).await.expect("the honest client is not held up");
        calls += 1;
    }
    let series = writer.raw(sandbox, &["loss"]).await;
    assert_eq!(i64::from(series[0].rows), calls, "points of the honest client");
    calls as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_inputs_are_answered_as_the_table_says() {
    let log = logs::captured();
    let sandbox = Sandbox::start().await;
    let done = AtomicBool::new(false);
    let attack = async {
        let (slow, rest) = tokio::join!(streams::slow(&sandbox), async {
            let mut tried = texts::questions(&sandbox).await;
            tried.extend(texts::items(&sandbox).await);
            tried.extend(calls::all(&sandbox).await);
            tried.extend(streams::all(&sandbox).await);
            tried.extend(sessions::all(&sandbox).await);
            tried
        });
        done.store(true, Ordering::Relaxed);
        slow.into_iter().chain(rest).collect::<Vec<Tried>>()
    };
    let (tried, calls) = tokio::join!(attack, honest(&sandbox, &done));
    let wrong: Vec<String> =
        tried.iter().filter_map(|tried| Some(format!("{}: {}", tried.name, tried.end.as_ref().err()?))).collect();
    let names: BTreeSet<&str> = tried.iter().map(|tried| tried.name.as_str()).collect();
    assert_eq!(names.len(), tried.len(), "every input has a name of its own");
    assert_eq!(sandbox.send(sandbox.request("GET", "/livez").body(Default::default()).unwrap()).await.status, 200);
    assert!(calls > 10, "the honest client made {calls} calls");
    let inside = |text: &str| text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}');
    let text = log.text();
    assert!(text.contains("DEBUG"), "a log that says nothing proves nothing");
    let raw: Vec<&str> = text.lines().filter(|line| inside(line) || line.starts_with(texts::FORGED)).collect();
    assert!(raw.is_empty(), "unescaped in the log: {raw:?}");
    assert!(!text.contains(sandbox.key()) && !text.contains(texts::CANARY_KEY), "a key is in the log");
    let said = format!("{} hostile inputs, {} answered as the table says", tried.len(), tried.len() - wrong.len());
    // Tests speak through the log of the test runner.
    assert!(std::io::Write::write_all(&mut std::io::stderr(), format!("{said}\n").as_bytes()).is_ok());
    assert!(wrong.is_empty(), "{said}:\n{}", wrong.join("\n"));
    assert!(tried.len() >= 600, "{said}");
    sandbox.stop().await;
}
