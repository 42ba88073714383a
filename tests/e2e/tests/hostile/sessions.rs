//! The live session: who may open one, frames that are none, and more than one may have.

use corral_testkit::{Browser, Sandbox, Socket};
use corral_wire::proto::{self, session_request, session_response, subscribe};
use tonic::Code;

use super::{Tried, check};

/// The code and field of the next frame, which refuses something.
async fn failed(socket: &mut Socket) -> (u32, String) {
    match socket.next().await {
        Some(session_response::Frame::Failed(failed)) => (failed.code, failed.error.unwrap_or_default().field),
        other => panic!("{other:?} is no refusal"),
    }
}

const INVALID: u32 = Code::InvalidArgument as u32;

pub(crate) async fn all(sandbox: &Sandbox) -> Vec<Tried> {
    let browser = sandbox.browser().await;
    let mut tried = upgrades(sandbox, &browser).await;
    let own = format!("http://{}", sandbox.address());
    let open = async || {
        let headers = [("cookie", browser.cookie.as_str()), ("origin", own.as_str())];
        Socket::upgrade(sandbox, &headers).await.expect("an upgrade")
    };
    for (name, half) in [("no other half in hello", ""), ("a wrong other half in hello", "00")] {
        let mut socket = open().await;
        socket.hello(half).await;
        let (code, _) = failed(&mut socket).await;
        tried.push(check(name, (code, socket.next().await), (Code::Unauthenticated as u32, None)));
    }
    let mut socket = open().await;
    socket.subscribe(1, question("a")).await;
    tried.push(check("a question before hello", failed(&mut socket).await, (INVALID, "frame".to_owned())));
    let frames: [(&str, Vec<u8>, &str); 4] = [
        ("a frame that is none", vec![0xff; 40], "message"),
        ("a frame with an unknown field", vec![0xc0, 0x3e, 1], "SessionRequest.1000"),
        ("an oversized message", vec![0; 300 * 1024], ""),
        ("a truncated message", vec![0x12, 0x7f, 1], "message"),
    ];
    for (name, bytes, field) in frames {
        let mut socket = Socket::of_browser(sandbox, &browser).await;
        socket.send_bytes(bytes).await;
        let (_, said) = failed(&mut socket).await;
        // It ends the session.
        tried.push(check(name, (said, socket.next().await), (field.to_owned(), None)));
    }
    let mut socket = Socket::of_browser(sandbox, &browser).await;
    socket.send_text("{}").await;
    tried.push(check("text instead of bytes", failed(&mut socket).await.1, "frame".to_owned()));
    tried.extend(questions(sandbox, &browser).await);
    tried
}

fn question(run: &str) -> subscribe::Query {
    subscribe::Query::Run(proto::GetRunRequest { run_id: run.to_owned(), freshness: None })
}

type Headers<'a> = Vec<(&'static str, &'a str)>;

async fn upgrades(sandbox: &Sandbox, browser: &Browser) -> Vec<Tried> {
    let own = format!("http://{}", sandbox.address());
    let bearer = sandbox.bearer();
    let cookie = ("cookie", browser.cookie.as_str());
    let cases: [(&str, Headers<'_>, u16); 6] = [
        ("a socket of nobody", vec![("origin", &own)], 401),
        ("a socket of another page", vec![cookie, ("origin", "http://evil.example")], 403),
        ("a socket of no page", vec![cookie, ("origin", "null")], 403),
        ("a socket under a foreign host", vec![cookie, ("host", "evil.example")], 421),
        (
            "a socket with a key of another page",
            vec![("authorization", &bearer), ("origin", "http://evil.example")],
            403,
        ),
        ("a socket that is cross-site", vec![cookie, ("sec-fetch-site", "cross-site")], 403),
    ];
    let mut tried = Vec::new();
    for (name, headers, status) in cases {
        let refused = Socket::upgrade(sandbox, &headers).await.err().map(|status| status.as_u16());
        tried.push(check(name, refused, Some(status)));
    }
    tried
}

/// Questions that are too many, or too much: refused one by one, and the session goes on.
async fn questions(sandbox: &Sandbox, browser: &Browser) -> Vec<Tried> {
    let mut socket = Socket::of_browser(sandbox, browser).await;
    let history = |change: fn(&mut proto::GetHistoryRequest)| {
        let mut request = proto::GetHistoryRequest {
            run_ids: vec!["a".to_owned()],
            metrics: vec!["loss".to_owned()],
            ..proto::GetHistoryRequest::default()
        };
        change(&mut request);
        subscribe::Query::History(request)
    };
    let names = |count: usize| (0..count).map(|at| at.to_string()).collect::<Vec<String>>();
    let runs = proto::ListRunsRequest { project: "p".into(), page_size: u32::MAX, ..Default::default() };
    let projects = proto::ListProjectsRequest { page_size: 1_001, ..Default::default() };
    let many = proto::GetHistoryRequest { run_ids: names(1_001), metrics: names(1), ..Default::default() };
    let product = proto::GetHistoryRequest { run_ids: names(100), metrics: names(100), ..Default::default() };
    let cases: Vec<(&str, subscribe::Query, &str)> = vec![
        ("a huge page of runs", subscribe::Query::Runs(runs), "page_size"),
        ("a huge page of projects", subscribe::Query::Projects(projects), "page_size"),
        ("buckets beyond the limit", history(|request| request.buckets = u32::MAX), "buckets"),
        ("points beyond the limit", history(|request| request.points_max = u32::MAX), "points_max"),
        ("an axis that is none", history(|request| request.x_axis = 99), "x_axis"),
        ("bounds that cross", history(|request| (request.x_min, request.x_max) = (Some(2), Some(1))), "x_min"),
        ("take 0", history(|request| request.take = Some(0)), "take"),
        ("no runs", history(|request| request.run_ids.clear()), "run_ids"),
        ("no metrics", history(|request| request.metrics.clear()), "metrics"),
        ("too many runs", subscribe::Query::History(many), "run_ids"),
        ("too many series", subscribe::Query::History(product), "metrics"),
        ("a run that cannot be one", question("../x"), "run_id"),
    ];
    let mut tried = Vec::new();
    for (name, query, field) in cases {
        socket.subscribe(1, query).await;
        tried.push(check(name, failed(&mut socket).await, (INVALID, field.to_owned())));
    }
    socket.send(session_request::Frame::Hello(proto::SessionHello::default())).await;
    tried.push(check("a second hello", failed(&mut socket).await.1, "hello".to_owned()));
    let empty = proto::Subscribe { subscription: 1, query: None };
    socket.send(session_request::Frame::Subscribe(empty)).await;
    tried.push(check("a question of no kind", failed(&mut socket).await.1, "query".to_owned()));
    for subscription in 1..=513 {
        socket.subscribe(subscription, question("a")).await;
    }
    let over = loop {
        match socket.next().await.expect("a frame") {
            session_response::Frame::Failed(failed) => break (failed.code, failed.subscription),
            session_response::Frame::Answer(_) => {}
            other => panic!("{other:?}"),
        }
    };
    tried.push(check("too many subscriptions", over, (Code::ResourceExhausted as u32, 513)));
    tried
}
