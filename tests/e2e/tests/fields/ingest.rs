//! The fields of the telemetry door: what each does is seen in the answer, in the run, or in the log's envelope.

use super::*;

use corral_domain::{RunEntry, StreamKey};
use corral_event_codec::{decode_envelope, encode_run_items};
use corral_testkit::Stream;
use corral_testkit::answer::error;
use corral_testkit::sandbox::refused;
use tonic::Code;

type Request = proto::AppendOnceRequest;

enum Does {
    /// An error that names this field.
    Refused(Code, &'static str),
    /// The run then looks like that.
    Run(fn(&proto::GetRunResponse) -> bool),
    /// The answer then looks like that.
    Answer(fn(&proto::AppendOnceResponse) -> bool),
    /// The record's envelope then looks like that.
    Envelope(Looks),
}

type Looks = fn(&corral_domain::Envelope) -> bool;
/// (path of the field, what is changed in an opening that is good otherwise, what that does).
type Case = (&'static str, fn(&mut Request), Does);

fn hello(request: &mut Request) -> &mut proto::ClientHello {
    request.hello.as_mut().expect("a hello")
}

fn writer(request: &mut Request) -> &mut proto::OpenWriter {
    request.writer.as_mut().expect("a writer")
}

fn batch(request: &mut Request) -> &mut proto::AppendBatch {
    request.batch.as_mut().expect("a batch")
}

fn cases() -> Vec<Case> {
    use Does::{Answer, Envelope, Refused, Run};
    const INVALID: Code = Code::InvalidArgument;
    vec![
        ("hello.protocol_version", |r| hello(r).protocol_version = 2, Refused(INVALID, "hello.protocol_version")),
        ("hello.client", |r| hello(r).client = "c".repeat(513), Refused(INVALID, "hello.client")),
        ("writer.handle", |r| writer(r).handle = 7, Refused(INVALID, "batch.handle")),
        ("writer.run_id", |r| writer(r).run_id = "../x".to_owned(), Refused(INVALID, "run_id")),
        (
            "writer.writer_id",
            |r| writer(r).writer_id = Bytes::from_static(&[9; 16]),
            Run(|run| run.writers[0].writer_id == "09".repeat(16)),
        ),
        ("writer.writer_epoch", |r| writer(r).writer_epoch = 3, Run(|run| run.writers[0].epoch == 3)),
        ("writer.last_acked_seq", |r| writer(r).last_acked_seq = u64::MAX, Refused(INVALID, "last_acked_seq")),
        // What was acknowledged in another epoch does not count: what follows it is a gap.
        (
            "writer.acked_log_epoch",
            |r| {
                (writer(r).last_acked_seq, writer(r).acked_log_epoch) = (4, 99);
                (batch(r).first_seq, batch(r).last_seq) = (5, 5);
            },
            Refused(Code::FailedPrecondition, "first_seq"),
        ),
        (
            "writer.acked_actor",
            |r| writer(r).acked_actor = "mallory".to_owned(),
            Refused(Code::FailedPrecondition, "acked_actor"),
        ),
        ("batch.handle", |r| batch(r).handle = 7, Refused(INVALID, "batch.handle")),
        ("batch.first_seq", |r| batch(r).first_seq = 0, Refused(INVALID, "first_seq")),
        ("batch.last_seq", |r| batch(r).last_seq = 2, Refused(INVALID, "last_seq")),
        ("batch.take", |r| batch(r).take = 1, Refused(INVALID, "take")),
        (
            "batch.client_time_us",
            |r| batch(r).client_time_us = 4_711,
            Envelope(|envelope| envelope.client_time_us == 4_711),
        ),
        (
            "batch.items",
            |r| {
                let opening = RunOpened { name: "another".to_owned(), ..opening("p") };
                batch(r).items = encode_run_items(&[RunEntry::Opened(Box::new(opening))]);
            },
            Run(|run| run.run.as_ref().is_some_and(|run| run.name == "another")),
        ),
        (
            "batch.trace.traceparent",
            |r| {
                batch(r).trace = Some(proto::TraceContext { traceparent: "00-1".to_owned(), tracestate: String::new() })
            },
            Envelope(|envelope| envelope.trace.traceparent == "00-1"),
        ),
        (
            "batch.trace.tracestate",
            |r| batch(r).trace = Some(proto::TraceContext { traceparent: String::new(), tracestate: "k=v".to_owned() }),
            Envelope(|envelope| envelope.trace.tracestate == "k=v"),
        ),
        // Not a field: the door sends back what it was told, unless told otherwise.
        ("", |_| {}, Answer(|answer| answer.ack.as_ref().is_some_and(|ack| ack.seq == 1 && ack.handle == 1))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_an_append_has_an_effect_or_is_refused_by_name() {
    let cases = cases();
    let mut fields = BTreeSet::new();
    leaves(&input("IngestService", "AppendOnce"), "", &mut fields);
    let has: BTreeSet<String> = cases.iter().map(|case| case.0.to_owned()).filter(|path| !path.is_empty()).collect();
    assert_eq!(has, fields);

    let sandbox = Sandbox::start().await;
    let organization = organization(&sandbox).await;
    let template = Writer::create(&sandbox, "template").await;
    let mut kept: Vec<(String, Looks)> = Vec::new();
    for (at, (path, patch, does)) in cases.into_iter().enumerate() {
        let run = format!("run-{at}");
        let mut request = template.request(encode_run_items(&[RunEntry::Opened(Box::new(opening("p")))]), 1);
        *writer(&mut request) = proto::OpenWriter {
            handle: 1,
            run_id: run.clone(),
            writer_id: Bytes::from_static(&[1; 16]),
            writer_epoch: 1,
            ..Default::default()
        };
        *batch(&mut request) = proto::AppendBatch { first_seq: 1, last_seq: 1, take: 0, ..batch(&mut request).clone() };
        patch(&mut request);
        let answer = sandbox.ingest().append_once(request).await;
        match does {
            Does::Refused(code, field) => assert_eq!(error(&refused(answer, code)).field, field, "{path}"),
            Does::Answer(looks) => assert!(looks(&answer.unwrap().into_inner()), "{path}"),
            Does::Run(looks) => {
                let position = answer.unwrap().into_inner().ack.unwrap().position.unwrap();
                let fresh = proto::Freshness { not_before: vec![position], as_of_us: None };
                assert!(looks(&sandbox.run(&run, Some(fresh)).await.unwrap()), "{path}");
            }
            Does::Envelope(looks) => {
                answer.unwrap();
                kept.push((run, looks));
            }
        }
    }
    streamed(&sandbox).await;
    let (log, home) = sandbox.stop_and_look().await;
    for (run, looks) in kept {
        let stream = StreamKey::run(organization, &run.parse().unwrap());
        let mut found = false;
        for record in log.read(stream.partition(4), corral_domain::Offset(0), 1 << 20).await.unwrap().records {
            let envelope = decode_envelope(&record.bytes).unwrap();
            found |= envelope.stream == stream && looks(&envelope);
        }
        assert!(found, "{run}: what was sent is not in the log");
    }
    drop((log, home));
}

async fn organization(sandbox: &Sandbox) -> corral_domain::OrganizationId {
    let (_, hello) = Stream::open(sandbox.ingest()).await;
    corral_domain::OrganizationId::from_slice(&hello.organization).expect("an organization")
}

/// A stream's frames are those of the unary door, and a heartbeat.
async fn streamed(sandbox: &Sandbox) {
    let names = |message: &str| -> BTreeSet<String> {
        let message = DESCRIPTORS.get_message_by_name(&format!("corral.v1.{message}")).expect("the message");
        message.fields().map(|field| message_of(&field).name().to_owned()).collect()
    };
    let mut expect = names("AppendOnceRequest");
    expect.insert("Heartbeat".to_owned());
    assert_eq!(names("AppendRequest"), expect);
    let mut fields = BTreeSet::new();
    leaves(&DESCRIPTORS.get_message_by_name("corral.v1.Heartbeat").expect("the message"), "", &mut fields);
    assert_eq!(fields, BTreeSet::from(["handle".to_owned()]));
    let (mut stream, _) = Stream::open(sandbox.ingest()).await;
    stream.send(proto::append_request::Frame::Heartbeat(proto::Heartbeat { handle: 9 })).await;
    let Ok(Some(proto::append_response::Frame::Refused(refused))) = stream.next().await else {
        panic!("it is refused")
    };
    assert_eq!((refused.handle, refused.error.unwrap_or_default().field.as_str()), (9, "handle"));
}
