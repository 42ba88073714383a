//! Calls with wrong credentials, hosts, origins, methods, types and bodies.

use bytes::Bytes;
use corral_access::Scope;
use corral_domain::Micros;
use corral_testkit::Sandbox;
use corral_testkit::http::{Answer, grpc_frame, raw};
use corral_wire::proto;
use http::Request;
use tonic::Code;
use tonic::codec::CompressionEncoding;

use super::texts::{CANARY_KEY, FORGED};
use super::{Tried, check, code};

type Header = (&'static str, String);
type Headers = Vec<Header>;

/// (name, method, path, headers, body, HTTP status).
type Call = (&'static str, &'static str, &'static str, Headers, Bytes, u16);

const RUN: &str = "/api/corral.v1.QueryService/GetRun";
const RUN_RPC: &str = "/corral.v1.QueryService/GetRun";

/// `None`: the server closed the connection while it was still being written to.
async fn send(sandbox: &Sandbox, (method, path): (&str, &str), headers: &Headers, body: Bytes) -> Option<Answer> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    corral_testkit::http::send(sandbox.address_of(path), request.body(body).expect("a request")).await.ok()
}

/// Who sends more than is taken may find the answer, or only a closed door: what is not read is not waited for.
fn check_too_large<T: PartialEq + std::fmt::Debug>(name: &str, given: Option<T>, expect: T) -> Tried {
    given.map_or_else(|| check(name, true, true), |given| check(name, given, expect))
}

pub(crate) async fn all(sandbox: &Sandbox) -> Vec<Tried> {
    let mut tried = Vec::new();
    let calls = [credentials(sandbox), origins(sandbox).await, requests(sandbox)];
    for (name, method, path, headers, body, status) in calls.into_iter().flatten() {
        let answer = send(sandbox, (method, path), &headers, body).await;
        let reflected = answer.as_ref().is_some_and(|answer| answer.text().contains("<img"));
        assert!(!reflected, "{name} is reflected");
        let given = answer.map(|answer| answer.status.as_u16());
        tried.push(match status {
            413 => check_too_large(name, given, status),
            _ => check(name, given, Some(status)),
        });
    }
    let big = vec![0; 2 * 1024 * 1024];
    let mut beyond = grpc_frame(&[1]);
    beyond[1..5].copy_from_slice(&u32::MAX.to_be_bytes());
    let mut bomb = grpc_frame(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
    bomb[0] = 1;
    // (name, path, content type, body, gRPC status).
    let frames = [
        ("an oversized frame", RUN_RPC, grpc_frame(&big), 11),
        ("an oversized append", "/corral.v1.IngestService/AppendOnce", grpc_frame(&big), 11),
        ("a frame that says 4 GiB", RUN_RPC, beyond, 11),
        ("a truncated frame", RUN_RPC, grpc_frame(&[0; 64])[..20].to_vec(), 13),
        ("a message that is none", RUN_RPC, grpc_frame(&[0xff; 32]), 3),
        ("a compressed frame that nobody announced", RUN_RPC, bomb, 13),
        ("an unknown method", "/corral.v1.QueryService/DropAll", grpc_frame(&[]), 12),
        ("a method in capitals", "/corral.v1.QueryService/GETRUN", grpc_frame(&[]), 12),
        ("an unknown service", "/corral.v2.QueryService/GetRun", grpc_frame(&[]), 12),
    ];
    for (name, path, body, status) in frames {
        let headers =
            vec![("authorization", sandbox.bearer()), ("content-type", "application/grpc-web+proto".to_owned())];
        let answer = send(sandbox, ("POST", path), &headers, body.into()).await;
        let given = answer.map(|answer| answer.grpc_status());
        tried.push(match status {
            11 => check_too_large(name, given, Some(status)),
            _ => check(name, given, Some(Some(status))),
        });
    }
    let bomb = proto::ListRunsRequest { project: "A".repeat(32 * 1024 * 1024), ..Default::default() };
    let answer = sandbox.query().send_compressed(CompressionEncoding::Gzip).list_runs(bomb).await;
    tried.push(check("a gzip bomb", code(answer), Code::Unimplemented));
    tried.extend(by_hand(sandbox).await);
    tried
}

fn post(name: &'static str, headers: Headers, status: u16) -> Call {
    (name, "POST", RUN, headers, Bytes::from_static(b"{\"runId\":\"a\"}"), status)
}

fn at(name: &'static str, path: &'static str, headers: Headers, status: u16) -> Call {
    (name, "GET", path, headers, Bytes::new(), status)
}

fn json() -> Header {
    ("content-type", "application/json".to_owned())
}

/// Who asks is nobody, somebody else, or may not.
fn credentials(sandbox: &Sandbox) -> Vec<Call> {
    let auth = |value: String| ("authorization", value);
    let own = || auth(sandbox.bearer());
    let mut forged = sandbox.bearer();
    forged.truncate(forged.len() - 4);
    let expired = format!("Bearer {}", sandbox.key_of("guest", Scope::Full, Some(Micros(1))));
    let narrow = format!("Bearer {}", sandbox.key_of("guest", Scope::Read, None));
    vec![
        post("no key", vec![json()], 401),
        post("a truncated key", vec![json(), auth(forged)], 401),
        post("an unknown key", vec![json(), auth(format!("Bearer {CANARY_KEY}"))], 401),
        post("an expired key", vec![json(), auth(expired)], 401),
        post("an empty key", vec![json(), auth("Bearer ".to_owned())], 401),
        post("another scheme", vec![json(), auth(format!("Basic {}", sandbox.key()))], 401),
        post("a token that signs itself", vec![json(), auth("Bearer eyJhbGciOiJub25lIn0.e30.".to_owned())], 401),
        (
            "a narrow key at a wide route",
            "POST",
            "/api/rebuild",
            vec![json(), auth(narrow)],
            Bytes::from_static(b"{\"verify\":true}"),
            403,
        ),
        at("a key in a URL", "/metrics?key=corral_canary000000_01", vec![own()], 400),
        at("a key in a URL without another", "/metrics?corral_canary000000_01", vec![], 400),
    ]
}

/// The request is a browser's, and of another page or under another name.
async fn origins(sandbox: &Sandbox) -> Vec<Call> {
    let browser = sandbox.browser().await;
    let own = || ("authorization", sandbox.bearer());
    let origin = |text: &str| ("origin", text.to_owned());
    let host = |text: &str| ("host", text.to_owned());
    let site = |text: &str| ("sec-fetch-site", text.to_owned());
    let (cookie, value) = (("cookie", browser.cookie.clone()), ("x-corral-session", browser.value.clone()));
    vec![
        post("a cookie alone", vec![json(), cookie.clone()], 401),
        post("the other half alone", vec![json(), value.clone()], 401),
        post("a wrong other half", vec![json(), cookie.clone(), ("x-corral-session", "00".repeat(32))], 401),
        post(
            "both halves from another page",
            vec![json(), cookie.clone(), value.clone(), origin("http://evil.example")],
            403,
        ),
        post("both halves from a sandboxed page", vec![json(), cookie.clone(), value.clone(), origin("null")], 403),
        post(
            "both halves from another port",
            vec![json(), cookie.clone(), value.clone(), origin("http://127.0.0.1:1")],
            403,
        ),
        post("no origin, and cross-site", vec![json(), cookie.clone(), value.clone(), site("cross-site")], 403),
        post("no origin, and same-site", vec![json(), cookie.clone(), value.clone(), site("same-site")], 403),
        post("a form with JSON in it", vec![("content-type", "text/plain".to_owned()), cookie, value], 400),
        post("a key under a foreign host", vec![json(), own(), host("attacker.example")], 421),
        post("a host that begins like ours", vec![json(), own(), host("127.0.0.1.nip.example")], 421),
        post("a host that ends like ours", vec![json(), own(), host("evil-localhost")], 421),
        post("a host with a user", vec![json(), own(), host("x@127.0.0.1")], 421),
        post("a host with a dot at its end", vec![json(), own(), host("localhost.")], 421),
        post("a host as a number", vec![json(), own(), host("2130706433")], 421),
        at("the page under a foreign host", "/", vec![host("attacker.example")], 421),
    ]
}

/// What is asked for is no request of ours.
fn requests(sandbox: &Sandbox) -> Vec<Call> {
    let own = || ("authorization", sandbox.bearer());
    vec![
        post("no content type", vec![own()], 400),
        post("an image", vec![own(), ("content-type", "image/png".to_owned())], 400),
        post(
            "a content type with markup",
            vec![own(), ("content-type", "<img src=x onerror=alert(1)>".to_owned())],
            400,
        ),
        ("a body beyond the limit", "POST", RUN, vec![json(), own()], Bytes::from(vec![b' '; 2 * 1024 * 1024]), 413),
        post("a gzipped body", vec![json(), own(), ("content-encoding", "gzip".to_owned())], 400),
        at("a question by GET", RUN, vec![own()], 405),
        at("a login by GET", "/api/login?token=0", vec![], 405),
        ("a route by DELETE", "DELETE", RUN, vec![own()], Bytes::new(), 405),
        ("a page by POST", "POST", "/r/a", vec![own()], Bytes::new(), 405),
        at("a path out of the page", "/..%2f..%2fetc%2fpasswd", vec![], 404),
        at("a path out of the page, dots", "/assets/../../etc/passwd", vec![], 404),
        at("a route doubled", "/api//corral.v1.QueryService/GetRun", vec![own()], 404),
        at("a route in capitals", "/API/login", vec![own()], 404),
        at("a route encoded", "/api/%6cogin", vec![own()], 404),
        at("a route's pattern", "/api/:key", vec![own()], 404),
        (
            "a login token that nobody made",
            "POST",
            "/api/login",
            vec![json()],
            Bytes::from_static(b"{\"token\":\"00000000000000000000000000000000\"}"),
            401,
        ),
        (
            "a login with more than it takes",
            "POST",
            "/api/login",
            vec![json()],
            Bytes::from_static(b"{\"token\":\"0\",\"admin\":true}"),
            400,
        ),
    ]
}

/// What no client library would send.
async fn by_hand(sandbox: &Sandbox) -> Vec<Tried> {
    let address = sandbox.address();
    let line = |said: Result<String, String>| -> String {
        said.map_or_else(|error| error, |said| said.split(' ').nth(1).unwrap_or("closed").to_owned())
    };
    let long = "a".repeat(200_000);
    let many: String = (0..5_000).map(|at| format!("x-{at}: y\r\n")).collect();
    let inputs = [
        (
            "two hosts",
            format!("GET / HTTP/1.1\r\nhost: {address}\r\nhost: evil.example\r\nconnection: close\r\n\r\n"),
            "421",
        ),
        ("no host", "GET /metrics HTTP/1.1\r\nconnection: close\r\n\r\n".to_owned(), "421"),
        ("no HTTP", format!("{FORGED}\r\n\r\n"), "400"),
        ("a header beyond the limit", format!("GET / HTTP/1.1\r\nhost: {address}\r\nx: {long}\r\n\r\n"), "431"),
        ("too many headers", format!("GET / HTTP/1.1\r\nhost: {address}\r\n{many}\r\n"), "431"),
        ("a bare line feed in a header", format!("GET / HTTP/1.1\r\nhost: {address}\r\nx: a\rb\r\n\r\n"), "400"),
        (
            "two lengths",
            format!("POST {RUN} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
            "400",
        ),
        (
            "a length that is none",
            format!("POST {RUN} HTTP/1.1\r\nhost: {address}\r\ncontent-length: -1\r\n\r\n"),
            "400",
        ),
        ("a path that is none", format!("GET /\u{7f} HTTP/1.1\r\nhost: {address}\r\n\r\n"), "400"),
        (
            "a chunk that lies",
            format!(
                "POST {RUN} HTTP/1.1\r\nhost: {address}\r\nauthorization: {}\r\ncontent-type: application/json\r\n\
                 transfer-encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n",
                sandbox.bearer()
            ),
            "400",
        ),
    ];
    let mut tried = Vec::new();
    for (name, bytes, status) in inputs {
        tried.push(check(name, line(raw(address, bytes.as_bytes()).await), status.to_owned()));
    }
    tried
}
