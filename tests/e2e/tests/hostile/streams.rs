//! The telemetry door: forged ids, lying counts, numbers at the edge; and peers that say nothing.

use bytes::Bytes;
use corral_access::Scope;
use corral_domain::{RunEntry, Value};
use corral_event_codec::encode_run_items;
use corral_testkit::http::raw;
use corral_testkit::items::{self, opening};
use corral_testkit::sandbox::Bearer;
use corral_testkit::{Sandbox, Stream, Writer};
use corral_wire::proto::{self, append_request, append_response};
use futures_util::future::join_all;
use prost_reflect::prost::Message as _;
use tonic::Code;
use tonic::service::interceptor::InterceptedService;

use super::{Tried, check, code};

type Request = proto::AppendOnceRequest;
type Case = (&'static str, fn(&mut Request), Code);

fn batch(request: &mut Request) -> &mut proto::AppendBatch {
    request.batch.as_mut().expect("a batch")
}

fn writer(request: &mut Request) -> &mut proto::OpenWriter {
    request.writer.as_mut().expect("a writer")
}

fn range(request: &mut Request, first: u64, last: u64) {
    (batch(request).first_seq, batch(request).last_seq) = (first, last);
}

/// One row whose parts are of these lengths.
fn group(rows: u32, steps: usize, times: usize, columns: &[(u32, i32, usize)]) -> Bytes {
    let column = |(metric_id, r#type, bytes): &(u32, i32, usize)| proto::Column {
        metric_id: *metric_id,
        r#type: *r#type,
        values: vec![2; *bytes].into(),
    };
    let columns = columns.iter().map(column).collect();
    let group = proto::StepGroup { rows, steps: vec![0; steps].into(), times_us: vec![0; times].into(), columns };
    let entry = proto::RunEntry { entry: Some(proto::run_entry::Entry::Points(group)) };
    proto::RunItems { entries: vec![entry] }.encode_to_vec().into()
}

fn cases() -> Vec<Case> {
    const INVALID: Code = Code::InvalidArgument;
    const GAP: Code = Code::FailedPrecondition;
    vec![
        ("seq 2^64-1", |r| range(r, u64::MAX, u64::MAX), GAP),
        ("seq up to 2^64-1", |r| batch(r).last_seq = u64::MAX, INVALID),
        ("acknowledged up to 2^64-1", |r| writer(r).last_acked_seq = u64::MAX, INVALID),
        ("seq 0", |r| range(r, 0, 0), INVALID),
        ("a range that goes back", |r| range(r, 2, 1), INVALID),
        ("a batch ahead of its place", |r| range(r, 99, 99), GAP),
        ("a take that nobody opened", |r| batch(r).take = 0, INVALID),
        ("more items than there are", |r| batch(r).last_seq += 5, INVALID),
        ("no items", |r| batch(r).items = Bytes::new(), INVALID),
        ("items that are none", |r| batch(r).items = Bytes::from_static(&[0xff; 16]), INVALID),
        ("items of a kind that is none", |r| batch(r).items = Bytes::from_static(&[0x0a, 0]), INVALID),
        ("items with an unknown field", |r| batch(r).items = Bytes::from_static(&[0xc0, 0x3e, 1]), INVALID),
        ("no rows", |r| batch(r).items = group(0, 0, 0, &[(0, 1, 0)]), INVALID),
        ("rows beyond the limit", |r| batch(r).items = group(u32::MAX, 8, 8, &[(0, 1, 8)]), INVALID),
        ("steps too short", |r| batch(r).items = group(1, 7, 8, &[(0, 1, 8)]), INVALID),
        ("times too long", |r| batch(r).items = group(1, 8, 16, &[(0, 1, 8)]), INVALID),
        ("no columns", |r| batch(r).items = group(1, 8, 8, &[]), INVALID),
        ("values too short", |r| batch(r).items = group(1, 8, 8, &[(0, 1, 4)]), INVALID),
        ("values too long", |r| batch(r).items = group(1, 8, 8, &[(0, 2, 8)]), INVALID),
        ("a type that is none", |r| batch(r).items = group(1, 8, 8, &[(0, 99, 8)]), INVALID),
        ("a boolean that is 2", |r| batch(r).items = group(1, 8, 8, &[(0, 5, 1)]), INVALID),
        ("a metric twice", |r| batch(r).items = group(1, 8, 8, &[(0, 1, 8), (0, 1, 8)]), INVALID),
        ("a metric id beyond the limit", |r| batch(r).items = group(1, 8, 8, &[(u32::MAX, 1, 8)]), INVALID),
        (
            "a second opening",
            |r| batch(r).items = encode_run_items(&[RunEntry::Opened(Box::new(opening("p")))]),
            INVALID,
        ),
        (
            "a gap that is not its place",
            |r| batch(r).items = encode_run_items(&[items::gap(7_000, 7_000, corral_domain::run::GapReason::Damaged)]),
            INVALID,
        ),
        ("a batch beyond the limit", |r| batch(r).items = Bytes::from(vec![0; 950_000]), Code::OutOfRange),
        ("a run id out of its place", |r| writer(r).run_id = "../../locks".to_owned(), INVALID),
        ("a run id of dots", |r| writer(r).run_id = "..".to_owned(), INVALID),
        ("a run id that is too long", |r| writer(r).run_id = "a".repeat(65), INVALID),
        ("a run id with a homoglyph", |r| writer(r).run_id = "аdmin".to_owned(), INVALID),
        ("a writer id that is too short", |r| writer(r).writer_id = Bytes::from_static(&[1; 15]), INVALID),
        ("a writer id that is too long", |r| writer(r).writer_id = Bytes::from_static(&[1; 17]), INVALID),
        ("an acknowledgement of somebody else's", |r| writer(r).acked_actor = "mallory".to_owned(), GAP),
        ("no hello", |r| r.hello = None, INVALID),
        ("no writer", |r| r.writer = None, INVALID),
        ("no batch", |r| r.batch = None, INVALID),
        ("another protocol", |r| r.hello.as_mut().expect("a hello").protocol_version = u32::MAX, INVALID),
        (
            "a trace that is too long",
            |r| batch(r).trace = Some(proto::TraceContext { traceparent: "0".repeat(513), tracestate: String::new() }),
            INVALID,
        ),
    ]
}

pub(crate) async fn all(sandbox: &Sandbox) -> Vec<Tried> {
    let mut own = Writer::create(sandbox, "victim").await;
    own.log(1, &[("loss", Value::F64(1.0))]).await;
    let row = || encode_run_items(&[items::row(2, 2, &[(0, Value::F64(2.0))])]);
    let mut tried = Vec::new();
    for (name, patch, expect) in cases() {
        let mut request = own.request(row(), own.next);
        patch(&mut request);
        tried.push(check(name, code(sandbox.ingest().append_once(request).await), expect));
    }
    // Another account under this writer's ids: its items are its own writer's, which was never opened.
    let guest = sandbox.key_of("guest", Scope::Full, None);
    let answer = sandbox.ingest_with(&guest).append_once(own.request(row(), own.next)).await;
    tried.push(check("another account's writer is taken for nobody's", code(answer), Code::Ok));
    let narrow = sandbox.key_of("guest", Scope::Read, None);
    let answer = sandbox.ingest_with(&narrow).append_once(own.request(row(), own.next)).await;
    tried.push(check("a key that only reads", code(answer), Code::PermissionDenied));
    // Ids that nobody registered: taken by the door, a dead letter of the projection.
    let mut stray = Writer::create(sandbox, "stray").await;
    stray.send(&[items::row(1, 1, &[(7, Value::F64(1.0))])]).await;
    let points = stray.seen(sandbox).await.run.map(|run| run.points);
    tried.push(check("a metric that was never registered", points, Some(0)));
    own.log(3, &[("loss", Value::F64(3.0))]).await;
    let run = own.seen(sandbox).await.run.expect("the run");
    tried.push(check("the victim has its own points and no others", (run.points, run.max_step), (2, 3)));
    tried.extend(frames(sandbox).await);
    tried.push(check("thousands of streams", many(sandbox).await, 2_000));
    tried
}

/// Frames of a stream that are out of their place: the stream's end, or a refusal within it.
async fn frames(sandbox: &Sandbox) -> Vec<Tried> {
    use append_request::Frame;
    let hello = || Frame::Hello(proto::ClientHello { protocol_version: 1, client: String::new() });
    let firsts = [
        ("a heartbeat before hello", Some(Frame::Heartbeat(proto::Heartbeat { handle: 1 }))),
        ("a batch before hello", Some(Frame::Batch(proto::AppendBatch::default()))),
        ("a frame of no kind before hello", None),
    ];
    let mut tried = Vec::new();
    for (name, first) in firsts {
        let mut stream = Stream::silent(sandbox.ingest()).await.expect("a stream");
        match first {
            Some(frame) => stream.send(frame).await,
            None => stream.send_nothing().await,
        }
        tried.push(check(name, code(stream.next().await), Code::InvalidArgument));
    }
    let (mut stream, _) = Stream::open(sandbox.ingest()).await;
    stream.send(hello()).await;
    tried.push(check("hello twice", code(stream.next().await), Code::InvalidArgument));
    let (mut stream, _) = Stream::open(sandbox.ingest()).await;
    stream.batch(5, 1, 0, &[RunEntry::Opened(Box::new(opening("p")))]).await;
    tried.push(check("a handle that is not open", refused(&mut stream).await, "handle".to_owned()));
    stream.open_writer(1, "frames", [3; 16], (0, 0)).await;
    let twice =
        proto::OpenWriter { handle: 1, run_id: "x".into(), writer_id: vec![1; 16].into(), ..Default::default() };
    stream.send(Frame::OpenWriter(twice)).await;
    tried.push(check("a handle twice", refused(&mut stream).await, "handle".to_owned()));
    stream.batch(1, 5, 1, &[items::registered(0, "x")]).await;
    tried.push(check("batches out of order", refused(&mut stream).await, "first_seq".to_owned()));
    stream.batch(1, 1, 1, &[items::registered(0, "x")]).await;
    tried.push(check("item 1 that opens nothing", refused(&mut stream).await, "items".to_owned()));
    tried
}

/// The field that the next frame refuses.
async fn refused(stream: &mut Stream) -> String {
    match stream.next().await {
        Ok(Some(append_response::Frame::Refused(refused))) => refused.error.unwrap_or_default().field,
        other => format!("{other:?}"),
    }
}

/// Streams that say hello and nothing more, over a few connections; how many were welcomed at once.
async fn many(sandbox: &Sandbox) -> usize {
    let mut streams = Vec::new();
    for _ in 0..5 {
        let channel = sandbox.own_channel().await;
        let door = || {
            proto::ingest_service_client::IngestServiceClient::new(InterceptedService::new(
                channel.clone(),
                Bearer::new(sandbox.key()),
            ))
        };
        streams.extend(join_all((0..400).map(|_| Stream::open(door()))).await);
    }
    streams.len()
}

/// Peers that keep the server waiting: each is shown the door in its time.
pub(crate) async fn slow(sandbox: &Sandbox) -> Vec<Tried> {
    let address = sandbox.address();
    let closed = |said: Result<String, String>| said.is_ok();
    let silent = async {
        let mut stream = Stream::silent(sandbox.ingest()).await.expect("a stream");
        code(stream.next().await)
    };
    let half = format!("GET / HTTP/1.1\r\nhost: {address}\r\nx: ");
    let (nothing, head, preface, hello) =
        tokio::join!(raw(address, b""), raw(address, half.as_bytes()), raw(address, b"PRI * HTTP/2.0\r\n"), silent,);
    vec![
        check("a peer that says nothing", closed(nothing), true),
        check("half a head", closed(head), true),
        check("half a preface", closed(preface), true),
        check("a stream without hello", hello, Code::InvalidArgument),
    ]
}
