//! Names that clash are listed before anything is sent, and a map says how things are called there.

use std::sync::Arc;

use corral_domain::project::ProjectNameClaimed;
use corral_domain::{CommandId, Envelope, ProjectId, StreamKey};
use corral_event_log::EventLog;
use corral_event_log::memory::MemoryLog;
use corral_push::{Clash, Mapping, Plan, PushError, Pushed, Source, push};

use crate::common::{ORGANIZATION, append, claim, items, memory_log};
use crate::world::{Corral, TEAM, changed, of_run, source, source_dump};

const THEIRS: ProjectId = ProjectId::from_bytes([0x77; 16]);

async fn go(log: &Arc<MemoryLog>, to: &Corral, maps: &[&str]) -> Result<Pushed, PushError> {
    let maps: Vec<String> = maps.iter().map(|map| (*map).to_owned()).collect();
    let plan = Plan { mapping: Mapping::parse(&maps, false).expect("a mapping"), ..Plan::default() };
    push(&Source::Log(log.clone()), &mut to.target(), &plan, &|_| {}).await
}

/// A team, older than the source, that has a project "p" and a run "run-3" of its own.
async fn team() -> Corral {
    let corral = Corral::since(2, 1_600_000_000_000_000);
    let named = ProjectNameClaimed { name: "p".to_owned(), project: THEIRS };
    let there = |(_, record): (StreamKey, bytes::Bytes), stream: StreamKey| {
        let moved = stream.clone();
        (stream, changed(&record, |envelope| Envelope { stream: moved, ..envelope }))
    };
    let organization = StreamKey::organization(TEAM);
    let (_, record) = claim();
    let record = changed(&record, |envelope| Envelope {
        payload: corral_event_codec::encode_project_name_claimed(&named),
        command_id: Some(CommandId::from_bytes([0x55; 16])),
        ..envelope
    });
    let run = |id: &str| StreamKey::run(TEAM, &id.parse().expect("an id"));
    let records = vec![
        there((organization.clone(), record), organization),
        there(items(3, 200, 1, 1), run("run-3")),
        there(items(3, 200, 2, 9), run("run-3")),
    ];
    append(&*corral.log, records).await;
    corral.project().await;
    corral
}

fn clashes(done: Result<Pushed, PushError>) -> Vec<Clash> {
    match done {
        Err(PushError::Clashes(clashes)) => clashes,
        other => panic!("clashes were expected: {other:?}"),
    }
}

#[tokio::test]
async fn every_clash_is_listed_and_nothing_is_sent() {
    let (log, corral) = (source().await, team().await);
    let before = corral.records().await;
    let run = "run-3".parse().expect("an id");
    let found = clashes(go(&log, &corral, &[]).await);
    assert!(found.contains(&Clash::ProjectExists { name: "p".to_owned(), there: "p".to_owned() }), "{found:?}");
    assert!(found.iter().any(|clash| matches!(clash, Clash::RunExists { run: own, .. } if *own == run)), "{found:?}");
    assert_eq!(found.len(), 2);
    // What is said tells how to go on.
    let text = PushError::Clashes(found).to_string();
    assert!(text.contains("--map run:run-3=NEW") && text.contains("--map 'project:p=NEW'"), "{text}");
    let meet = clashes(go(&log, &corral, &["run:run-3=run-4", "project:p=q"]).await);
    assert_eq!(meet.len(), 1, "{meet:?}");
    assert!(meet[0].to_string().contains("runs run-3, run-4 would all be run run-4"), "{}", meet[0]);
    let taken = clashes(go(&log, &corral, &["run:run-4=run-3", "run:run-3=x", "project:p=q"]).await);
    assert!(matches!(&taken[..], [Clash::RunExists { .. }]), "{taken:?}");
    for nothing in ["run:nobody=x", "project:none=x"] {
        let error = go(&log, &corral, &[nothing]).await.expect_err("there is none");
        assert!(matches!(&error, PushError::NothingToMap(what) if nothing.starts_with(what.as_str())), "{error}");
    }
    assert_eq!(corral.records().await, before);
}

#[tokio::test]
async fn what_is_mapped_is_there_under_its_new_name() {
    let (log, corral) = (source().await, team().await);
    let own = corral.dump().await;
    let maps = ["run:run-3=run-3b", "project:p=laptop", "actor:somebody=ada"];
    let pushed = go(&log, &corral, &maps).await.expect("a push");
    let after = corral.dump().await;
    assert!(own.lines().all(|line| after.contains(line)), "what was there stays");
    assert_eq!(go(&log, &corral, &maps).await.expect("a push").sent, 0, "again: nothing");
    assert_eq!(pushed.runs, 7);
    // All of it is what the source shows, with the names changed.
    let shown = source_dump(log.clone(), ORGANIZATION).await;
    let laptop = after.split_inclusive('\n').filter(|line| !own.contains(*line)).collect::<String>();
    let id = |text: &str| format!("ProjectId({})", &text.split("ProjectId(").nth(1).expect("an id")[..32]);
    let renamed = shown
        .replace(&id(&shown), &id(&laptop))
        .replace("RunId(run-3)", "RunId(run-3b)")
        .replace("name: \"p\"", "name: \"laptop\"")
        .replace("somebody", "ada");
    let differs = laptop.lines().zip(renamed.lines()).find(|(here, there)| here != there);
    assert_eq!(differs, None);
    assert_eq!(laptop, renamed);
    // And once more under another name: other runs, another project.
    let runs: Vec<String> = (0..8).map(|run| format!("run:run-{run}=second-{run}")).collect();
    let mut maps: Vec<&str> = runs.iter().map(String::as_str).filter(|map| !map.starts_with("run:run-6")).collect();
    maps.push("project:p=second");
    go(&log, &corral, &maps).await.expect("a push");
    let twice = corral.dump().await;
    assert!(after.lines().all(|line| twice.contains(line)) && twice.contains("\"second\""), "both are there");
}

#[tokio::test]
async fn runs_may_be_put_into_a_project_that_is_there() {
    let (log, corral) = (source().await, team().await);
    let maps = ["run:run-3=run-3b", "project:p=p"];
    for sent in [false, true] {
        let pushed = go(&log, &corral, &maps).await.expect("a push");
        assert_eq!(pushed.sent == 0, sent);
    }
    let after = corral.dump().await;
    let projects: Vec<&str> = after.lines().filter(|line| line.starts_with("Project {")).collect();
    assert_eq!(projects.len(), 1, "{projects:?}");
    assert!(projects[0].contains(&THEIRS.to_string()) && projects[0].contains("runs: 7"), "{}", projects[0]);
}

#[tokio::test]
async fn accounts_become_the_one_that_pushes_unless_that_would_mix_writers() {
    let log = memory_log(2);
    let other = |(stream, record): (StreamKey, bytes::Bytes)| {
        let record = changed(&record, |envelope| Envelope { actor: "other".parse().expect("an actor"), ..envelope });
        (stream, record)
    };
    append(&*log, vec![claim(), items(1, 5, 1, 1), items(1, 5, 2, 4), other(items(1, 5, 1, 1))]).await;
    let corral = Corral::new(1);
    let found = clashes(go(&log, &corral, &[]).await);
    assert!(matches!(&found[..], [Clash::WritersMeet { actors, .. }] if actors.len() == 2), "{found:?}");
    go(&log, &corral, &["actor:other=grace"]).await.expect("a push");
    let shown = corral.dump().await;
    assert!(shown.contains("Actor(admin)") && shown.contains("Actor(grace)"), "{shown}");
}

#[tokio::test]
async fn a_source_of_several_organizations_must_say_which() {
    let log = memory_log(1);
    let foreign = StreamKey::organization(TEAM);
    let (_, record) = claim();
    let moved = foreign.clone();
    let record = changed(&record, |envelope| Envelope { stream: moved, ..envelope });
    append(&*log, vec![claim(), (foreign, record), items(1, 5, 1, 1)]).await;
    let corral = Corral::new(1);
    let error = go(&log, &corral, &[]).await.expect_err("two").to_string();
    assert!(error.contains("--organization") && error.contains(&TEAM.to_string()), "{error}");
    let plan = Plan { organization: Some(ORGANIZATION), ..Plan::default() };
    let pushed = push(&Source::Log(log.clone()), &mut corral.target(), &plan, &|_| {}).await.expect("a push");
    assert_eq!((pushed.runs, pushed.sent), (1, 2));
    let none = corral_domain::OrganizationId::from_bytes([3; 16]);
    let plan = Plan { organization: Some(none), ..Plan::default() };
    let error = push(&Source::Log(log.clone()), &mut corral.target(), &plan, &|_| {}).await.expect_err("none");
    assert!(matches!(error, PushError::NoOrganization { .. }), "{error}");
    let empty = push(&Source::Log(memory_log(1)), &mut corral.target(), &plan, &|_| {}).await.expect_err("nothing");
    assert!(matches!(empty, PushError::Empty), "{empty}");
    assert!(log.identity().partitions == 1);
}

#[tokio::test]
async fn many_runs_and_writers_are_asked_for_in_pages() {
    let log = memory_log(2);
    let mut records = vec![claim()];
    for run in 0..700_u32 {
        records.push(of_run(items(1, 5, 1, 1), &format!("many-{run}")));
    }
    for writer in 0..1_300_u32 {
        let (stream, record) = of_run(items(1, 5, 1, 1), "crowd");
        let record = changed(&record, |envelope| {
            let range = envelope.writer.map(|range| corral_domain::WriterRange { epoch: writer, ..range });
            Envelope { writer: range, ..envelope }
        });
        records.push((stream, record));
    }
    append(&*log, records).await;
    let corral = Corral::new(2);
    let pushed = go(&log, &corral, &[]).await.expect("a push");
    assert_eq!((pushed.runs, pushed.sent), (701, 2_001));
    assert_eq!(go(&log, &corral, &[]).await.expect("a push").sent, 0);
}
