//! Every text field with every hostile text: kept exactly as it came, or refused for what it is; never anything else.

use corral_domain::RunEntry;
use corral_domain::metric::MetricDef;
use corral_domain::run::{FinishState, GapReason, ObjectLogged, RunAttributesChanged};
use corral_domain::scalar::Scalar;
use corral_event_codec::encode_run_items;
use corral_testkit::items::{self, opening};
use corral_testkit::{Sandbox, Writer};
use corral_wire::{DESCRIPTORS, proto};
use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value};
use serde_json::json;
use tonic::Code;

use super::{Tried, check_any, code};

/// A log line that an attacker would like to write.
pub(crate) const FORGED: &str = "2030-01-01T00:00:00Z ERROR";
/// What looks like a key and must not be kept where it does not belong.
pub(crate) const CANARY_KEY: &str =
    "corral_canary000000_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

pub(crate) fn hostile() -> Vec<(&'static str, String)> {
    let texts = [
        ("path", "../../../../etc/passwd"),
        ("encoded path", "..%2f..%252e%252e/etc/passwd"),
        ("windows path", "\\..\\..\\C:\\x"),
        ("file url", "file:///etc/passwd"),
        ("nul", "a\0b"),
        ("right to left", "abc\u{202e}gpj.exe"),
        ("html", "<img src=x onerror=alert(1)>\"'><script>"),
        ("javascript url", "javascript:alert(1)"),
        ("sql", "'; DROP TABLE runs; --"),
        ("cql", "x' ALLOW FILTERING; TRUNCATE heads; --"),
        ("format", "%s%n%x{0}{}${jndi:ldap://x}"),
        ("homoglyph", "аdmin"),
        ("composed and not", "e\u{301}\u{e9}"),
        ("prototype", "__proto__"),
        ("empty", ""),
        ("blank", " \t\u{a0} "),
        ("csv", "=HYPERLINK(\"x\")"),
        ("escape", "\u{1b}[31m\u{1b}]0;x\u{7}"),
        ("last characters", "\u{10ffff}\u{fffe}\u{feff}"),
    ];
    let mut texts: Vec<(&str, String)> = texts.map(|(name, text)| (name, text.to_owned())).into();
    texts.push(("log line", format!("x\r\n{FORGED} the owner is mallory\r\n")));
    texts.push(("megabyte", "A".repeat(1024 * 1024)));
    texts
}

/// Questions over JSON: what is no id, no name, no token is that; nothing is reflected as HTML.
pub(crate) async fn questions(sandbox: &Sandbox) -> Vec<Tried> {
    Writer::create(sandbox, "a").await;
    let history = |field: &str, text: &serde_json::Value| {
        let mut body = json!({ "runIds": ["a"], "metrics": ["loss"] });
        body[field] = text.clone();
        body
    };
    let mut texts: Vec<(&str, serde_json::Value)> = hostile().into_iter().map(|(n, text)| (n, json!(text))).collect();
    texts.push(("number", json!(7)));
    texts.push(("object", json!({ "$ne": null })));
    let mut tried = Vec::new();
    for (name, text) in &texts {
        let of_runs = |order: serde_json::Value| json!({ "project": "p", "order": order });
        let questions = [
            ("ListProjects", "page_token", json!({ "pageToken": text })),
            ("ListRuns", "project", json!({ "project": text })),
            ("ListRuns", "page_token", json!({ "project": "p", "pageToken": text })),
            ("ListRuns", "order.summary", of_runs(json!({ "summary": text }))),
            ("ListRuns", "order.config", of_runs(json!({ "config": text }))),
            ("ListRuns", "order.field", of_runs(json!({ "field": text }))),
            ("GetRun", "run_id", json!({ "runId": text })),
            ("GetHistory", "run_ids", history("runIds", &json!([text]))),
            ("GetHistory", "metrics", history("metrics", &json!([text]))),
            ("GetHistory", "label", history("label", text)),
            ("GetHistory", "page_token", history("pageToken", text)),
        ];
        for (method, field, body) in questions {
            let request = sandbox.request("POST", &format!("/api/corral.v1.QueryService/{method}"));
            let request = request.header("content-type", "application/json").body(body.to_string().into());
            let sent = corral_testkit::http::send(sandbox.address(), request.expect("a request")).await;
            let Ok(answer) = sent else {
                // Who sends more than is taken may find only a closed door.
                tried.push(super::check(format!("{method}.{field} {name}"), *name, "megabyte"));
                continue;
            };
            let json = answer.headers.get("content-type").is_some_and(|kind| kind == "application/json");
            let end = (answer.status.as_u16(), json && answer.headers.contains_key("x-content-type-options"));
            let may = [(200, true), (400, true), (404, true), (413, true)];
            tried.push(check_any(format!("{method}.{field} {name}"), end, &may));
        }
    }
    for (name, body) in [
        ("lone surrogate", &br#"{"runId":"\ud800"}"#[..]),
        ("bytes that are no text", &b"{\"runId\":\"\xff\xfe\"}"[..]),
        ("nan", br#"{"pageSize":NaN}"#),
        ("beyond u32", br#"{"pageSize":4294967296}"#),
        ("negative", br#"{"pageSize":-1}"#),
        ("fraction", br#"{"pageSize":1.5}"#),
        ("huge exponent", br#"{"pageSize":1e308}"#),
        ("twice", br#"{"runId":"a","runId":"b"}"#),
        ("twice by both names", br#"{"runId":"a","run_id":"b"}"#),
        ("two documents", br#"{"runId":"a"}{"runId":"b"}"#),
        ("half a document", br#"{"runId":"#),
        ("nothing", b""),
        ("list", b"[]"),
    ] {
        let method = if name == "nan" || body.starts_with(b"{\"pageSize") { "ListProjects" } else { "GetRun" };
        let answer = sandbox.ask(method, body.to_vec()).await;
        tried.push(check_any(format!("JSON {name}"), answer.status.as_u16(), &[400]));
    }
    for (name, open, close) in [("lists", "[", "]"), ("objects", "{\"freshness\":", "}")] {
        let deep = open.repeat(20_000) + "1" + &close.repeat(20_000);
        let answer = sandbox.ask("GetRun", deep).await;
        tried.push(check_any(format!("JSON deep {name}"), answer.status.as_u16(), &[400]));
    }
    tried
}

/// One good item of every kind, with every text of it filled; `seq` is the item's.
fn entries(seq: u64) -> Vec<RunEntry> {
    let attributes = RunAttributesChanged {
        name: Some("n".to_owned()),
        notes: Some("n".to_owned()),
        tags: Some(vec!["t".to_owned()]),
    };
    let object = ObjectLogged { metric: 0, step: 1, time_us: 1, media_type: "text/plain".to_owned(), body: "x".into() };
    let text = || Some(Scalar::Text("x".to_owned()));
    let list = Some(Scalar::List(vec![Scalar::Text("x".to_owned())]));
    vec![
        RunEntry::Object(object),
        items::finished(FinishState::Finished, Some(0), "m", seq),
        items::config(&["a"], text()),
        items::config(&["b"], list),
        items::summary("s", text()),
        RunEntry::AttributesChanged(attributes),
        items::registered(1, "acc"),
        RunEntry::MetricDefined(MetricDef { name: "acc".into(), step_metric: "epoch".into(), ..MetricDef::default() }),
        items::gap(seq, seq, GapReason::Refused),
    ]
}

/// The paths of all texts in a message that are set.
fn texts_of(message: &DynamicMessage, at: &str, out: &mut Vec<String>) {
    for (field, value) in message.fields() {
        let path = format!("{at}.{}", field.name());
        match value {
            Value::String(_) => out.push(path),
            Value::Message(inner) => texts_of(inner, &path, out),
            Value::List(values) => values.iter().for_each(|value| match value {
                Value::String(_) => out.push(path.clone()),
                Value::Message(inner) => texts_of(inner, &path, out),
                _ => {}
            }),
            _ => {}
        }
    }
}

/// Sets the text at a path.
fn set(message: &mut DynamicMessage, path: &[&str], text: &str) {
    let Some((name, rest)) = path.split_first() else { return };
    let value = match message.get_field_by_name_mut(name) {
        Some(Value::List(values)) => values.first_mut(),
        value => value,
    };
    match value {
        Some(Value::Message(inner)) => set(inner, rest, text),
        Some(value) => *value = Value::String(text.to_owned()),
        None => {}
    }
}

fn run_items() -> MessageDescriptor {
    DESCRIPTORS.get_message_by_name("corral.v1.RunItems").expect("the message")
}

fn dynamic(entry: &RunEntry) -> DynamicMessage {
    DynamicMessage::decode(run_items(), encode_run_items(std::slice::from_ref(entry))).expect("items")
}

/// How many texts an item's message has by its descriptor: the table must fill each.
fn declared(message: &MessageDescriptor, seen: &mut Vec<String>) {
    for field in message.fields() {
        match field.kind() {
            Kind::String => seen.push(format!("{}.{}", message.name(), field.name())),
            // A list of scalars holds scalars.
            Kind::Message(inner) if inner.name() != "ScalarList" => declared(&inner, seen),
            _ => {}
        }
    }
}

/// Items over gRPC: kept, or refused as invalid or too large, by name; the writer goes on.
pub(crate) async fn items(sandbox: &Sandbox) -> Vec<Tried> {
    let mut writer = Writer::create(sandbox, "texts").await;
    writer.metric("loss").await;
    let mut tried = Vec::new();
    let mut fields = 0;
    for at in 0..entries(1).len() {
        let mut paths = Vec::new();
        texts_of(&dynamic(&entries(writer.next)[at]), "", &mut paths);
        fields += paths.len();
        for path in paths {
            for (name, text) in hostile() {
                let mut message = dynamic(&entries(writer.next)[at]);
                set(&mut message, &path[1..].split('.').collect::<Vec<_>>(), &text);
                let request = writer.request(message.encode_to_vec().into(), writer.next);
                let answer = sandbox.ingest().append_once(request).await;
                let code = code(answer);
                writer.next += u64::from(code == Code::Ok);
                let may = [Code::Ok, Code::InvalidArgument, Code::OutOfRange];
                tried.push(check_any(format!("{at}{path} {name}"), code, &may));
            }
        }
    }
    let mut opened = 0;
    for path in ["project_name", "launch_id", "label", "name", "notes", "tags", "group", "job_type"] {
        opened += 1;
        for (at, (name, text)) in hostile().into_iter().enumerate() {
            let mut opening = opening("p");
            opening.tags = vec!["t".to_owned()];
            let mut message = dynamic(&RunEntry::Opened(Box::new(opening)));
            set(&mut message, &["entries", "opened", path], &text);
            // Texts that are empty are not on the wire, and not in a dynamic message.
            let writer = Writer::unopened(sandbox, &format!("{path}-{at}"));
            let answer = sandbox.ingest().append_once(writer.request(message.encode_to_vec().into(), 1)).await;
            let position = answer.as_ref().ok().and_then(|answer| answer.get_ref().ack.as_ref()?.position);
            let name = format!("opened.{path} {name}");
            let hidden = matches!(path, "project_name" | "launch_id");
            tried.push(match position {
                Some(position) if !hidden => {
                    let fresh = proto::Freshness { not_before: vec![position], as_of_us: None };
                    let answer = sandbox.run(&writer.run, Some(fresh)).await.expect("the run");
                    super::check(name, shows(answer, path), Some(text))
                }
                _ => check_any(name, code(answer), &[Code::Ok, Code::InvalidArgument, Code::OutOfRange]),
            });
        }
    }
    let mut all = Vec::new();
    declared(&run_items(), &mut all);
    assert_eq!(fields + opened, all.len() + EXTRA_TEXTS, "{all:?}");
    check_shown(sandbox, &writer).await;
    tried
}

/// Texts of the table that are one field: a scalar's in a config leaf, a list and a summary, beside the path of a leaf that
/// is there twice.
const EXTRA_TEXTS: usize = 2;

/// What a run shows of what its opening said.
fn shows(answer: proto::GetRunResponse, path: &str) -> Option<String> {
    let run = answer.run?;
    match path {
        "label" => Some(answer.writers.into_iter().next()?.label),
        "name" => Some(run.name),
        "notes" => Some(run.notes),
        "tags" => run.tags.into_iter().next(),
        "group" => Some(run.group),
        "job_type" => Some(run.job_type),
        _ => None,
    }
}

/// Keys of the summary that were taken are shown as they came.
async fn check_shown(sandbox: &Sandbox, writer: &Writer) {
    let run = writer.seen(sandbox).await.run.expect("the run");
    let keys: Vec<String> = run.summary.into_iter().map(|figure| figure.key).collect();
    for (name, text) in hostile() {
        if matches!(name, "html" | "sql" | "prototype" | "right to left") {
            assert!(keys.contains(&text), "{name} is not among {keys:?}");
        }
    }
}
