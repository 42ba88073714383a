//! What the door refuses, and by which name; and what it does with what cannot be read.

use bytes::Bytes;
use corral_domain::limits::{PUSH_BYTES_MAX, PUSH_RECORDS_MAX, PUSH_SURVEY_COUNT_MAX};
use corral_domain::{
    Envelope, EventType, LogEpoch, LogId, Micros, Offset, OrganizationId, Partition, Pushed, RunEntry, StreamKey,
};
use corral_event_log::EventLog;
use corral_push::{Plan, PushError, Source, push};
use corral_wire::{ApiError, ErrorKind, proto};

use crate::common::{ORGANIZATION, append, claim, items, memory_log};
use crate::world::{Corral, TEAM, changed, source_dump};

const LOG: LogId = LogId::from_bytes([7; 16]);

fn place(offset: u64) -> Pushed {
    Pushed {
        log_id: LOG,
        log_epoch: LogEpoch(3),
        partition: Partition(1),
        offset: Offset(offset),
        append_time: Micros(5),
        after_hole: false,
    }
}

fn record(offset: u64, change: impl FnOnce(Envelope) -> Envelope) -> Bytes {
    let (_, record) = items(1, 1, 1, 1);
    let stream = StreamKey::run(TEAM, &"run-1".parse().expect("an id"));
    changed(&record, |envelope| change(Envelope { stream, pushed: Some(place(offset)), ..envelope }))
}

fn request(records: Vec<Bytes>) -> proto::PushRecordsRequest {
    proto::PushRecordsRequest {
        source_log_id: LOG.as_bytes().to_vec().into(),
        source_log_epoch: 3,
        source_partition: 1,
        records,
    }
}

async fn refused(corral: &Corral, request: proto::PushRecordsRequest) -> ApiError {
    let done = corral.door().records(&corral.principal(), request).await;
    let error = done.expect_err("it is refused");
    assert_eq!(corral.records().await, 0, "nothing of a refused request is appended");
    error
}

#[tokio::test]
async fn records_that_are_not_such_are_named() {
    let corral = Corral::new(2);
    let own = |envelope: Envelope| envelope;
    let at = |change: fn(Envelope) -> Envelope| vec![record(1, own), record(2, change)];
    for (records, says) in [
        (vec![], "push_records_max"),
        (vec![record(1, own); PUSH_RECORDS_MAX + 1], "push_records_max"),
        (vec![record(1, own), Bytes::from_static(b"\xff")], "[1] envelope"),
        (vec![record(2, own), record(2, own)], "[1] pushed.offset"),
        (vec![record(2, own), record(1, own)], "[1] pushed.offset"),
        (vec![record(u64::MAX, own)], "[0] pushed.offset"),
        (at(|e| Envelope { pushed: None, ..e }), "[1] pushed: is missing"),
        (at(|e| Envelope { pushed: Some(Pushed { partition: Partition(0), ..place(2) }), ..e }), "pushed.partition"),
        (at(|e| Envelope { pushed: Some(Pushed { log_epoch: LogEpoch(4), ..place(2) }), ..e }), "pushed.log_id"),
        (
            at(|e| Envelope { stream: StreamKey { organization: ORGANIZATION, ..e.stream.clone() }, ..e }),
            "organization",
        ),
        (at(|e| Envelope { stream: StreamKey::organization(TEAM), ..e }), "type: RunItems"),
        (at(|e| Envelope { kind: EventType::ProjectNameClaimed, ..e }), "type: ProjectNameClaimed"),
        (at(|e| Envelope { writer: None, ..e }), "writer: is missing"),
        (at(|e| Envelope { min_reader_version: 99, ..e }), "min_reader_version: 99"),
        (at(|e| Envelope { codec: 1, ..e }), "sealed_with"),
        (at(|e| Envelope { sealed_with: "key".to_owned(), ..e }), "sealed_with"),
        (at(|e| Envelope { payload: Bytes::from_static(b"\xff"), ..e }), "[1] items"),
        (
            at(|e| Envelope {
                stream: StreamKey::organization(TEAM),
                kind: EventType::ProjectNameClaimed,
                command_id: None,
                ..e
            }),
            "command_id: is missing",
        ),
    ] {
        let error = refused(&corral, request(records)).await;
        assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
        assert!(error.message.contains(says), "{} names {says}", error.message);
    }
    let large = vec![record(1, |e| Envelope { trace: Default::default(), payload: payload(880_000), ..e }); 5];
    let large: Vec<Bytes> = large.into_iter().collect();
    assert!(large.iter().map(Bytes::len).sum::<usize>() > PUSH_BYTES_MAX);
    assert_eq!(refused(&corral, request(large)).await.kind, ErrorKind::TooLarge);
    let itself = corral.log.identity();
    let own_log = proto::PushRecordsRequest {
        source_log_id: itself.log_id.as_bytes().to_vec().into(),
        source_log_epoch: itself.log_epoch.0,
        ..request(vec![record(1, own)])
    };
    for (request, says) in [
        (own_log, "source_log_id: is this log's own"),
        (proto::PushRecordsRequest { source_log_id: Bytes::new(), ..request(vec![record(1, own)]) }, "source_log_id"),
        (proto::PushRecordsRequest { source_partition: 70_000, ..request(vec![record(1, own)]) }, "source_partition"),
    ] {
        let error = refused(&corral, request).await;
        assert!(error.message.contains(says), "{}", error.message);
    }
}

fn payload(bytes: usize) -> Bytes {
    let object = corral_domain::run::ObjectLogged {
        metric: 0,
        step: 0,
        time_us: 0,
        media_type: String::new(),
        body: vec![0; bytes].into(),
    };
    corral_event_codec::encode_run_items(&[RunEntry::Object(object)])
}

#[tokio::test]
async fn what_was_taken_and_refused_is_counted() {
    let corral = Corral::new(2);
    let door = corral.door();
    let records = vec![record(1, |e| e), record(2, |e| e)];
    let bytes: u64 = records.iter().map(|record| record.len() as u64).sum();
    door.records(&corral.principal(), request(records)).await.expect("taken");
    door.records(&corral.principal(), request(vec![])).await.expect_err("refused");
    let figures: Vec<u64> = door.figures().iter().map(|(_, _, value)| *value).collect();
    assert_eq!(figures[..4], [2, bytes, 1, 0]);
}

#[tokio::test]
async fn questions_are_bounded_and_of_the_own_organization() {
    let corral = Corral::new(2);
    let ask = async |request: proto::PushSurveyRequest| corral.door().survey(&corral.principal(), request).await;
    let run = |id: &str, writers| proto::PushedRun { run_id: id.to_owned(), writers };
    let writer = |id: &'static [u8], actor: &str| proto::PushedWriter {
        writer_id: Bytes::from_static(id),
        epoch: 1,
        actor: actor.to_owned(),
    };
    let runs = |runs| proto::PushSurveyRequest { runs, projects: Vec::new() };
    for (request, says) in [
        (runs(vec![run("..", vec![])]), "run_id"),
        (runs(vec![run("a", vec![writer(b"short", "x")])]), "writer_id"),
        (runs(vec![run("a", vec![writer(&[1; 16], "a b")])]), "actor"),
        (runs(vec![run("a", vec![]); PUSH_SURVEY_COUNT_MAX + 1]), "push_survey_count_max"),
    ] {
        let error = ask(request).await.expect_err("it is refused");
        assert!(error.message.contains(says), "{}", error.message);
    }
    let answer = ask(proto::PushSurveyRequest {
        runs: vec![run("a", vec![writer(&[1; 16], "x")])],
        projects: vec!["p".to_owned()],
    });
    let answer = answer.await.expect("an answer");
    assert_eq!((answer.actor.as_str(), &answer.organization[..]), ("admin", &TEAM.as_bytes()[..]));
    assert_eq!((answer.log_epoch, answer.runs[0].exists, &answer.runs[0].applied_seqs[..]), (9, false, &[0][..]));
    assert!(answer.projects[0].project_id.is_empty());
    assert_ne!(ORGANIZATION, OrganizationId::from_bytes([0; 16]));
}

#[tokio::test]
async fn what_could_not_be_read_there_becomes_a_gap_and_what_is_sealed_stops_the_push() {
    let log = memory_log(1);
    let broken = |(stream, record): (StreamKey, Bytes)| {
        let record = changed(&record, |envelope| Envelope { payload: Bytes::from_static(b"\xff"), ..envelope });
        (stream, record)
    };
    let records = vec![claim(), items(1, 5, 1, 1), items(1, 5, 2, 4), broken(items(1, 5, 5, 8)), items(1, 5, 9, 12)];
    append(&*log, records).await;
    log.append(Partition(0), vec![Bytes::from_static(b"nonsense")]).await.expect("an append");
    let corral = Corral::new(1);
    let from = Source::Log(log.clone());
    let pushed = push(&from, &mut corral.target(), &Plan::default(), &|_| {}).await.expect("a push");
    assert_eq!((pushed.unreadable, pushed.replaced, pushed.sent), (1, 1, 5));
    let (there, here) = (source_dump(log.clone(), ORGANIZATION).await, corral.dump().await);
    let points = |shown: &str| shown.lines().find(|line| line.starts_with("loss")).map(str::to_owned);
    assert!(points(&here).is_some());
    assert_eq!(points(&here), points(&there), "the points before and behind it are there");
    assert!(here.contains("gap_items: 4"), "and its items are counted as missing");
    let (stream, record) = items(1, 5, 13, 13);
    let sealed = changed(&record, |envelope| Envelope { sealed_with: "key".to_owned(), ..envelope });
    append(&*log, vec![(stream, sealed)]).await;
    let before = corral.records().await;
    let error = push(&from, &mut corral.target(), &Plan::default(), &|_| {}).await.expect_err("it is sealed");
    assert!(matches!(&error, PushError::Unreadable(..)) && error.to_string().contains("offset 6"), "{error}");
    assert_eq!(corral.records().await, before);
}
