//! Nothing is accepted and ignored: every field of every request, one at a time, has an effect or is refused by name. The
//! fields are those of the descriptors, so that a new one without a case fails here.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use corral_domain::run::RunOpened;
use corral_domain::scalar::Scalar;
use corral_domain::{Micros, Value};
use corral_tasks::ManualClock;
use corral_testkit::http::grpc_frame;
use corral_testkit::items::{self, opening};
use corral_testkit::{Sandbox, Socket, Writer};
use corral_wire::DESCRIPTORS;
use corral_wire::proto::{self, session_response, subscribe};
use futures_util::future::join_all;
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Value as Json, json};

mod ingest;

const DAY: Micros = Micros(1_900_000_000_000_000);

/// What setting a field does.
#[derive(Clone, Copy, Debug)]
enum Expect {
    /// The answer is another.
    Effect,
    /// An error that names this field.
    Refused(&'static str),
    /// It is waited for, and does not come.
    Late,
}

/// (method, path of the field, the question without it, with it, what that does).
type Case = (&'static str, &'static str, Json, Json, Expect);

fn cases() -> Vec<Case> {
    use Expect::{Effect, Late, Refused};
    let mut cases: Vec<Case> = Vec::new();
    let bases = [
        ("ListProjects", json!({}), Refused("freshness.as_of")),
        ("ListRuns", json!({ "project": "p" }), Refused("freshness.as_of")),
        ("GetRun", json!({ "runId": "a" }), Effect),
        ("GetHistory", json!({ "runIds": ["a"], "metrics": ["loss"] }), Effect),
    ];
    for (method, base, as_of) in &bases {
        let not_before =
            |partition: u32, offset: &str| json!({ "notBefore": [{ "partition": partition, "offset": offset }] });
        // Which partitions answer is the server's affair: all of them are named.
        let far: Vec<Json> = (0..4).map(|partition| json!({ "partition": partition, "offset": "1000000" })).collect();
        let moment = json!({ "asOfUs": (DAY.0 + 1_000_000).to_string() });
        let freshness = [
            ("freshness.not_before.partition", not_before(77, "0"), Refused("freshness.not_before")),
            ("freshness.not_before.offset", json!({ "notBefore": far }), Late),
            ("freshness.as_of_us", moment, *as_of),
        ];
        for (path, value, expect) in freshness {
            cases.push((*method, path, base.clone(), with(base, json!({ "freshness": value })), expect));
        }
    }
    let mut add = |at: usize, path, without: Json, set: Json, expect| {
        let (method, base, _) = &bases[at];
        let without = with(base, without);
        let set = with(&without, set);
        cases.push((*method, path, without, set, expect));
    };
    let (none, wrong) = (json!({}), Refused("page_token"));
    add(0, "page_size", none.clone(), json!({ "pageSize": 1 }), Effect);
    add(0, "page_token", none.clone(), json!({ "pageToken": "00" }), wrong);
    add(1, "project", none.clone(), json!({ "project": "q" }), Effect);
    add(1, "page_size", none.clone(), json!({ "pageSize": 1 }), Effect);
    add(1, "page_token", none.clone(), json!({ "pageToken": "00" }), wrong);
    add(1, "order.field", none.clone(), json!({ "order": { "field": "RUN_FIELD_NAME" } }), Effect);
    add(1, "order.summary", none.clone(), json!({ "order": { "summary": "loss" } }), Effect);
    add(1, "order.config", none.clone(), json!({ "order": { "config": "lr" } }), Effect);
    let by_name = |descending| json!({ "order": { "field": "RUN_FIELD_NAME", "descending": descending } });
    add(1, "order.descending", by_name(false), by_name(true), Effect);
    add(2, "run_id", none.clone(), json!({ "runId": "b" }), Effect);
    add(3, "run_ids", none.clone(), json!({ "runIds": ["b"] }), Effect);
    add(3, "metrics", none.clone(), json!({ "metrics": ["acc"] }), Effect);
    add(3, "buckets", none.clone(), json!({ "buckets": 3 }), Effect);
    add(3, "x_axis", json!({ "buckets": 3 }), json!({ "xAxis": "X_AXIS_TIME" }), Effect);
    add(3, "x_min", none.clone(), json!({ "xMin": "3" }), Effect);
    let by = |metric: &str| json!({ "buckets": 3, "xAxis": "X_AXIS_METRIC", "xMetric": metric });
    add(3, "x_metric", by("loss"), json!({ "xMetric": "acc" }), Effect);
    add(3, "x_metric", none.clone(), json!({ "xMetric": "acc" }), Refused("x_metric"));
    add(3, "x_value_min", by("loss"), json!({ "xValueMin": 4.5 }), Effect);
    add(3, "x_value_max", by("loss"), json!({ "xValueMax": 4.5 }), Effect);
    add(3, "x_max", none.clone(), json!({ "xMax": "3" }), Effect);
    add(3, "take", none.clone(), json!({ "take": 1 }), Effect);
    add(3, "label", none.clone(), json!({ "label": "y" }), Effect);
    add(3, "points_max", none.clone(), json!({ "pointsMax": 2 }), Effect);
    add(3, "page_token", none, json!({ "pageToken": "00" }), wrong);
    cases
}

fn with(base: &Json, more: Json) -> Json {
    let mut out = base.clone();
    for (key, value) in more.as_object().expect("an object") {
        out[key] = value.clone();
    }
    out
}

/// Runs that differ in whatever can be asked for.
async fn filled(clock: &ManualClock) -> Sandbox {
    let sandbox = Sandbox::start_at(clock.clock()).await;
    let open = async |run, project, launch: &str, (name, label): (&str, &str)| {
        let (launch_id, name, label) = (launch.to_owned(), name.to_owned(), label.to_owned());
        Writer::open(&sandbox, run, RunOpened { launch_id, name, label, ..opening(project) }).await
    };
    let series = |from: i32, to: i32| -> Vec<(i64, Value)> {
        (from..to).map(|step| (i64::from(step), Value::F64(f64::from(step) + f64::from(from)))).collect()
    };
    let mut old = open("a", "p", "1", ("zulu", "x")).await;
    old.series("loss", &series(0, 5)).await;
    clock.advance(std::time::Duration::from_secs(5));
    let mut x = open("a", "p", "2", ("alpha", "x")).await;
    x.series("loss", &series(1, 9)).await;
    x.send(&[items::config(&["lr"], Some(Scalar::I64(2)))]).await;
    let mut y = open("a", "p", "2", ("", "y")).await;
    y.series("loss", &series(2, 7)).await;
    y.series("acc", &series(3, 5)).await;
    clock.advance(std::time::Duration::from_secs(5));
    let mut b = open("b", "p", "1", ("yankee", "")).await;
    b.series("loss", &series(20, 22)).await;
    b.send(&[items::config(&["lr"], Some(Scalar::I64(3)))]).await;
    let c = open("c", "q", "1", ("xray", "")).await;
    clock.advance(std::time::Duration::from_secs(5));
    for writer in [&y, &b, &c] {
        writer.seen(&sandbox).await;
    }
    sandbox
}

/// Every field that holds no message, by its path.
fn leaves(message: &MessageDescriptor, at: &str, out: &mut BTreeSet<String>) {
    for field in message.fields() {
        let path = if at.is_empty() { field.name().to_owned() } else { format!("{at}.{}", field.name()) };
        match field.kind() {
            Kind::Message(inner) => leaves(&inner, &path, out),
            _ => drop(out.insert(path)),
        }
    }
}

fn input(service: &str, method: &str) -> MessageDescriptor {
    let service = DESCRIPTORS.get_service_by_name(&format!("corral.v1.{service}")).expect("the service");
    let method = service.methods().find(|found| found.name() == method).expect("the method");
    method.input()
}

#[test]
fn every_field_of_a_question_has_a_case() {
    let service = DESCRIPTORS.get_service_by_name("corral.v1.QueryService").expect("the service");
    let cases = cases();
    for method in service.methods() {
        let mut fields = BTreeSet::new();
        leaves(&method.input(), "", &mut fields);
        let of_method = cases.iter().filter(|case| case.0 == method.name());
        let has: BTreeSet<String> = of_method.map(|case| case.1.to_owned()).collect();
        assert_eq!(has, fields, "{}", method.name());
    }
    // A session asks the same questions, and says little else.
    let session = input("SessionService", "Session");
    let mut fields = BTreeSet::new();
    leaves(&session, "", &mut fields);
    let own: Vec<String> = fields.into_iter().filter(|path| path.matches('.').count() == 1).collect();
    assert_eq!(
        own,
        ["hello.protocol_version", "hello.session_value", "subscribe.subscription", "unsubscribe.subscription"]
    );
    let subscribe = DESCRIPTORS.get_message_by_name("corral.v1.Subscribe").expect("the message");
    let asked = subscribe.oneofs().flat_map(|oneof| oneof.fields().collect::<Vec<_>>());
    let asked: BTreeSet<String> = asked.map(|field| message_of(&field).name().to_owned()).collect();
    let questions: BTreeSet<String> = service.methods().map(|method| method.input().name().to_owned()).collect();
    assert_eq!(asked, questions);
}

fn message_of(field: &FieldDescriptor) -> MessageDescriptor {
    match field.kind() {
        Kind::Message(message) => message,
        other => panic!("{other:?} is no message"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_a_question_has_an_effect_or_is_refused_by_name() {
    let clock = ManualClock::new(DAY);
    let sandbox = filled(&clock).await;
    let cases = cases();
    join_all(cases.iter().map(|(method, path, without, set, expect)| {
        let sandbox = &sandbox;
        async move {
            let answer = sandbox.ask(method, set.to_string()).await;
            let case = format!("{method} {path}: {} {}", answer.status, answer.text());
            match expect {
                Expect::Refused(field) => {
                    assert_eq!(
                        (answer.status.as_u16(), answer.json()["field"].as_str()),
                        (400, Some(*field)),
                        "{case}"
                    );
                }
                Expect::Late => assert_eq!(answer.status, 503, "{case}"),
                Expect::Effect => {
                    assert_eq!(answer.status, 200, "{case}");
                    let mut bodies = [sandbox.json(method, without.clone()).await, answer.json()];
                    for body in &mut bodies {
                        body.as_object_mut().expect("an object").remove("meta");
                    }
                    assert_ne!(bodies[0], bodies[1], "{case}: no effect");
                }
            }
        }
    }))
    .await;
    sandbox.stop().await;
}

fn typed<M: Message + Default>(message: &str, body: &Json) -> M {
    let descriptor = DESCRIPTORS.get_message_by_name(&format!("corral.v1.{message}")).expect("the message");
    let dynamic = DynamicMessage::deserialize(descriptor, body.clone()).expect("a question");
    dynamic.transcode_to().expect("a question")
}

fn question(method: &str, body: &Json) -> subscribe::Query {
    match method {
        "ListProjects" => subscribe::Query::Projects(typed("ListProjectsRequest", body)),
        "ListRuns" => subscribe::Query::Runs(typed("ListRunsRequest", body)),
        "GetRun" => subscribe::Query::Run(typed("GetRunRequest", body)),
        _ => subscribe::Query::History(typed("GetHistoryRequest", body)),
    }
}

/// What a session said first to a subscription: the answer without its meta, or (code, field).
type First = Result<String, (u32, String)>;

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_a_subscription_has_an_effect_or_is_refused_by_name() {
    let clock = ManualClock::new(DAY);
    let sandbox = filled(&clock).await;
    let browser = sandbox.browser().await;
    let mut page = Socket::of_browser(&sandbox, &browser).await;
    let cases = cases();
    for (at, (method, _, without, set, _)) in (0..).zip(&cases) {
        page.subscribe(2 * at + 1, question(method, without)).await;
        page.subscribe(2 * at + 2, question(method, set)).await;
    }
    let mut said: BTreeMap<u32, First> = BTreeMap::new();
    while said.len() < 2 * cases.len() {
        let (subscription, first) = match page.next().await.expect("a frame") {
            session_response::Frame::Answer(answer) => (answer.subscription, Ok(without_meta(answer))),
            session_response::Frame::Failed(failed) => {
                (failed.subscription, Err((failed.code, failed.error.expect("details").field)))
            }
            other => panic!("{other:?}"),
        };
        said.entry(subscription).or_insert(first);
    }
    for (at, (method, path, _, _, expect)) in (0..).zip(&cases) {
        let (without, set) = (&said[&(2 * at + 1)], &said[&(2 * at + 2)]);
        let case = format!("{method} {path}: {set:?}");
        match (expect, set) {
            (Expect::Refused(field), Err((3, named))) => assert_eq!(named, field, "{case}"),
            // In a subscription that goes on by itself, pages and bounds on one answer have no place.
            (Expect::Effect, Err((3, named))) => assert!(path.ends_with(named.as_str()), "{case}"),
            (Expect::Late, Err((14, _))) => {}
            (Expect::Effect, Ok(answer)) => assert_ne!(Ok(answer), without.as_ref(), "{case}: no effect"),
            _ => panic!("{case}"),
        }
    }
    session_frames(&sandbox, &mut page).await;
    sandbox.stop().await;
}

fn without_meta(mut answer: proto::Answer) -> String {
    use proto::answer::Body;
    match answer.body.as_mut().expect("a body") {
        Body::Projects(body) => body.meta = None,
        Body::Runs(body) => body.meta = None,
        Body::Run(body) => body.meta = None,
        Body::History(body) => body.meta = None,
    }
    format!("{:?}", answer.body)
}

/// What a session's own frames say.
async fn session_frames(sandbox: &Sandbox, page: &mut Socket) {
    let ask = || question("GetRun", &json!({ "runId": "a" }));
    page.subscribe(1_000, ask()).await;
    page.answer().await;
    let failed = |frame: Option<session_response::Frame>| match frame {
        Some(session_response::Frame::Failed(failed)) => failed.error.expect("details").field,
        other => panic!("{other:?} is no refusal"),
    };
    for subscription in [0, 1_000] {
        page.subscribe(subscription, ask()).await;
        assert_eq!(failed(page.next().await), "subscription");
    }
    let end = proto::Unsubscribe { subscription: 1_000 };
    page.send(proto::session_request::Frame::Unsubscribe(end)).await;
    page.subscribe(1_000, ask()).await;
    assert_eq!(page.answer().await.subscription, 1_000, "it may live again");
    for (hello, field) in [((2, ""), "hello.protocol_version"), ((1, "x"), "hello.session_value")] {
        let bearer = sandbox.bearer();
        let mut socket = Socket::upgrade(sandbox, &[("authorization", &bearer)]).await.expect("an upgrade");
        let hello = proto::SessionHello { protocol_version: hello.0, session_value: hello.1.to_owned() };
        socket.send(proto::session_request::Frame::Hello(hello)).await;
        assert_eq!(failed(socket.next().await), field);
    }
}

/// A field that no message has: number 1,000, with the value 1.
const UNKNOWN: [u8; 3] = [0xc0, 0x3e, 1];

/// Every message inside a request, by the numbers of the fields that lead there: its path, and the bytes of a request that
/// holds nothing but an unknown field in it.
fn unknown_in(message: &MessageDescriptor, path: &[FieldDescriptor], out: &mut Vec<(Vec<FieldDescriptor>, Bytes)>) {
    let wrapped = path.iter().rev().fold(UNKNOWN.to_vec(), |inner, field| {
        let mut bytes = vec![(field.number() << 3 | 2) as u8, inner.len() as u8];
        bytes.extend(inner);
        bytes
    });
    out.push((path.to_vec(), wrapped.into()));
    for field in message.fields().filter(|field| matches!(field.kind(), Kind::Message(_))) {
        let mut deeper = path.to_vec();
        deeper.push(field.clone());
        unknown_in(&message_of(&field), &deeper, out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_nobody_knows_are_refused_by_name_in_every_message() {
    let sandbox = Sandbox::start().await;
    let mut tried = 0;
    for service in ["QueryService", "IngestService", "SessionService"] {
        let service = DESCRIPTORS.get_service_by_name(&format!("corral.v1.{service}")).expect("the service");
        for method in service.methods() {
            let mut requests = Vec::new();
            unknown_in(&method.input(), &[], &mut requests);
            for (path, bytes) in requests {
                let at = path.last().map_or_else(|| method.input(), message_of);
                let route = format!("/{}/{}", service.full_name(), method.name());
                let request = sandbox.request("POST", &route).header("content-type", "application/grpc-web+proto");
                let answer = sandbox.send(request.body(grpc_frame(&bytes).into()).unwrap()).await;
                let said = format!("{}{:?}", answer.text(), answer.headers.get("grpc-message"));
                let named = format!("{}.1000", at.name());
                assert!(said.contains(&named), "{route} with an unknown field in {named}: {said}");
                tried += 1;
                if service.name() != "QueryService" {
                    continue;
                }
                let inner = path.iter().rev().fold(json!({ "bogus": 1 }), |inner, field| {
                    let inner = if field.is_list() { json!([inner]) } else { inner };
                    json!({ (field.json_name()): inner })
                });
                let answer = sandbox.ask(method.name(), inner.to_string()).await;
                let refused = (answer.status.as_u16(), answer.json()["field"].clone(), answer.json()["reason"].clone());
                assert_eq!(refused, (400, json!("bogus"), json!("FIELD_UNSUPPORTED")), "{inner}");
                tried += 1;
            }
        }
    }
    assert!(tried > 40, "{tried}");
    sandbox.stop().await;
}
