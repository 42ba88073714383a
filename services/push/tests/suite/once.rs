//! Exactly once: pushed, killed and pushed again, pushed twice, from a log, a damaged one, or an archive.

use std::sync::Arc;

use corral_domain::limits::PUSH_RECORDS_MAX;
use corral_domain::{Offset, Partition};
use corral_event_log::{EventLog, Hole};
use corral_push::{Mapping, Plan, PushError, Pushed, Source, push};

use crate::common::{ORGANIZATION, append, archived, heartbeat, items};
use crate::world::{Corral, Direct, source, source_dump};

fn plan() -> Plan {
    // With their own accounts, or the dumps could not be equal.
    Plan { mapping: Mapping::parse(&[], true).expect("a mapping"), ..Plan::default() }
}

async fn go(from: &Source, mut to: Direct<'_>) -> Result<Pushed, PushError> {
    push(from, &mut to, &plan(), &|_| {}).await
}

async fn check(source_log: Arc<dyn EventLog>, from: Source, damaged: bool) -> Pushed {
    let shown = source_dump(source_log, ORGANIZATION).await;
    assert!(shown.len() > 5_000 && shown.contains("run-5") && shown.contains("named"), "{}", shown.len());
    let corral = Corral::new(2);
    let pushed = go(&from, corral.target()).await.expect("a push");
    assert_eq!(corral.dump().await, shown);
    // And again: there is nothing to send, but what might lie in a hole.
    let appended = corral.records().await;
    assert_eq!(appended, pushed.sent);
    let again = go(&from, corral.target()).await.expect("a push");
    assert!(again.sent <= if damaged { pushed.sent / 4 } else { 0 }, "{again:?}");
    assert_eq!((again.records, corral.records().await), (pushed.records, appended + again.sent));
    assert_eq!(corral.dump().await, shown);
    // And again, to a target that does not know yet what it has.
    let late = Corral::new(3);
    for _ in 0..3 {
        let mut target = late.target();
        target.projects = false;
        go(&from, target).await.expect("a push");
    }
    assert!(late.records().await > appended + appended / 2);
    assert_eq!(late.dump().await, shown);
    pushed
}

#[tokio::test]
async fn from_a_log() {
    let log = source().await;
    let pushed = check(log.clone(), Source::Log(log), false).await;
    assert_eq!((pushed.runs, pushed.projects, pushed.unreadable, pushed.replaced), (7, 1, 0, 0));
}

#[tokio::test]
async fn from_an_archive() {
    let log = source().await;
    let archive = archived(&*log).await;
    let pushed = check(log.clone(), Source::Archive(archive.clone()), false).await;
    let all: u64 =
        (0..3).map(|p| archive.entries(Partition(p)).expect("entries").iter().map(|e| e.records).sum::<u64>()).sum();
    assert_eq!(pushed.records, all, "what repeats is not in it");
}

#[tokio::test]
async fn from_a_damaged_log_and_from_its_archive() {
    let log = source().await;
    for partition in (0..3).map(Partition) {
        let tail = log.extent(partition).await.expect("an extent").tail.0;
        if tail < 30 {
            // Only the claim of the project's name is there.
            continue;
        }
        let holes = [(tail / 3, tail / 3 + 2), (tail / 2, tail / 2 + 7)];
        for (from, to) in holes.map(|(from, to)| (Offset(from), Offset(to))) {
            log.damage(Hole { partition, from, to }).expect("damage");
        }
    }
    check(log.clone(), Source::Log(log.clone()), true).await;
    check(log.clone(), Source::Archive(archived(&*log).await), true).await;
}

#[tokio::test]
async fn killed_at_any_append() {
    let log = source().await;
    // More than one request has room for.
    let many = PUSH_RECORDS_MAX as u64 + 500;
    append(&*log, (0..many).map(|seq| items(2, 2, 113 + seq, 113 + seq)).collect()).await;
    let from = Source::Log(log.clone());
    let shown = source_dump(log, ORGANIZATION).await;
    let (mut append, mut killed) = (0, 0);
    loop {
        let mut died = false;
        for done in [false, true] {
            let corral = Corral::new(3);
            let first = go(&from, corral.dies_at(append, done)).await;
            died |= first.is_err();
            // Killed soon again, and then not any more.
            let _ = go(&from, corral.dies_at(1, !done)).await;
            go(&from, corral.target()).await.expect("a push");
            let dump = corral.dump().await;
            let differs = dump.lines().zip(shown.lines()).find(|(here, there)| here != there);
            assert_eq!(differs, None, "append {append}, done {done}");
            assert_eq!(dump, shown);
        }
        if !died {
            break;
        }
        (append, killed) = (append + 1, killed + 1);
    }
    assert!(killed >= 5, "it could be killed at {killed} appends");
}

#[tokio::test]
async fn what_comes_later_is_pushed_later() {
    let log = source().await;
    let corral = Corral::new(2);
    go(&Source::Log(log.clone()), corral.target()).await.expect("a push");
    append(&*log, vec![items(1, 1, 113, 120), heartbeat(1), items(9, 90, 1, 1), items(9, 90, 2, 3)]).await;
    let pushed = go(&Source::Log(log.clone()), corral.target()).await.expect("a push");
    assert_eq!((pushed.sent, pushed.runs), (4, 8));
    assert_eq!(corral.dump().await, source_dump(log, ORGANIZATION).await);
}

#[tokio::test]
async fn a_dry_run_sends_nothing() {
    let log = source().await;
    let corral = Corral::new(2);
    let dry = Plan { dry_run: true, ..plan() };
    let pushed = push(&Source::Log(log), &mut corral.target(), &dry, &|_| {}).await.expect("a push");
    assert_eq!((pushed.sent, pushed.runs, corral.records().await), (0, 7, 0));
}

#[tokio::test]
async fn pushed_on_from_there() {
    // A laptop's log, pushed to a team's, pushed to a company's: when it was first appended stays.
    let log = source().await;
    let team = Corral::new(2);
    go(&Source::Log(log.clone()), team.target()).await.expect("a push");
    let company = Corral::new(4);
    // The company's log is another one, though it was made by the same test.
    let from = Source::Log(Arc::new(crate::world::Renamed(team.log.clone())));
    go(&from, company.target()).await.expect("a push");
    assert_eq!(company.dump().await, source_dump(log, ORGANIZATION).await);
    assert!(matches!(go(&Source::Log(team.log.clone()), company.target()).await, Err(PushError::Itself)));
}

#[tokio::test]
async fn a_restore_needs_a_later_epoch() {
    let log = source().await;
    let restore = Plan { restore: true, ..plan() };
    let later = Corral::new(2);
    push(&Source::Log(log.clone()), &mut later.target(), &restore, &|_| {}).await.expect("epoch 9 is later than 3");
    assert_eq!(later.dump().await, source_dump(log.clone(), ORGANIZATION).await);
    // From the later one into one of the same epoch.
    let same = Corral::new(2);
    let from = Source::Log(Arc::new(crate::world::Renamed(later.log.clone())));
    let error = push(&from, &mut same.target(), &restore, &|_| {}).await.expect_err("epoch 9 is not later than 9");
    assert!(matches!(error, PushError::Epoch { .. }) && error.to_string().contains("corral log restored"), "{error}");
    assert_eq!(same.records().await, 0);
}
