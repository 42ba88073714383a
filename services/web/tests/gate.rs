//! Every route that is registered is walked: without credentials, with a wrong key, under a foreign host, for a foreign
//! origin. A route that is added is walked too.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use corral_access::{Access, HostRules, Permission};
use corral_domain::LogEpoch;
use corral_hub::Hub;
use corral_query::{Engine, Options};
use corral_read_store::memory::MemoryStore;
use corral_tasks::{Clock, Tasks};
use corral_web::gate::Gate;
use corral_web::login;
use corral_web::ops::{self, Ops};
use corral_web::route::{Call, Declared, GRPC, Routes};
use corral_web::session::{Sessions, socket};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

struct Web {
    router: axum::Router,
    declared: Vec<Declared>,
    key: String,
    _dir: tempfile::TempDir,
}

fn web() -> Web {
    let dir = tempfile::tempdir().expect("a directory");
    let access = Arc::new(Access::open(dir.path(), Clock::system()).expect("access opens"));
    let mut key = String::new();
    let handed = access.first_start(|secret| {
        key = secret.expose().to_owned();
        Ok::<(), std::io::Error>(())
    });
    handed.expect("a first start").expect("the key is handed over");
    let gate = Arc::new(Gate::new(access.clone(), HostRules::new(None).expect("no public url"), 4870));
    let options = Options { partitions: 4, log_epoch: LogEpoch(0) };
    let engine = Engine::new(Arc::new(MemoryStore::new()), Hub::new(), Clock::system(), options);
    let sessions = Sessions { engine, access, tasks: Tasks::new(), clock: Clock::system(), living: Arc::default() };
    let ops = Ops { unready: Arc::new(Vec::new), figures: Arc::new(String::new) };
    let routes = Routes::new(gate.clone());
    let routes = socket::routes(ops::routes(login::routes(routes, &gate), &ops), &gate, &sessions);
    let methods: Vec<String> = GRPC.iter().map(|(path, _)| (*path).to_owned()).collect();
    let reached = axum::routing::any(|| async { StatusCode::IM_A_TEAPOT });
    let services = GRPC.iter().fold(axum::Router::new(), |router, (path, _)| router.route(path, reached.clone()));
    let routes = routes.grpc(services, &methods).expect("every method has its permission");
    Web { declared: routes.declared(), router: routes.build(), key, _dir: dir }
}

fn request(declared: &Declared, headers: &[(&str, &str)]) -> Request<Body> {
    let method = if declared.call == Call::Get { Method::GET } else { Method::POST };
    let mut request = Request::builder().method(method).uri(declared.path);
    if declared.call == Call::Grpc {
        request = request.header("content-type", "application/grpc-web+proto");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).expect("a request")
}

/// The HTTP status, or of gRPC the status in its header as the HTTP code that means the same.
async fn answer(web: &Web, request: Request<Body>) -> StatusCode {
    let response = web.router.clone().oneshot(request).await.expect("an answer");
    assert!(response.headers().contains_key("content-security-policy"));
    let grpc = response.headers().get("grpc-status").map(|value| value.to_str().expect("a number").to_owned());
    match grpc.as_deref() {
        Some("16") => StatusCode::UNAUTHORIZED,
        Some("7") => StatusCode::FORBIDDEN,
        Some("12") => StatusCode::METHOD_NOT_ALLOWED,
        Some(other) => panic!("grpc-status {other}"),
        None => response.status(),
    }
}

const HOST: (&str, &str) = ("host", "127.0.0.1:4870");

#[tokio::test]
async fn every_route_denies_by_default() {
    let web = web();
    assert!(web.declared.len() >= 17, "{:?}", web.declared);
    for declared in &web.declared {
        let open = declared.permission == Permission::Public;
        let nobody = answer(&web, request(declared, &[HOST])).await;
        if !open || declared.path == "/session" {
            assert_eq!(nobody, StatusCode::UNAUTHORIZED, "{declared:?} without credentials");
        } else {
            assert_ne!(nobody, StatusCode::UNAUTHORIZED, "{declared:?} is open");
        }
        for wrong in ["Bearer corral_0123456789ab_wrong", "Basic eDp5", "Bearer", "bearer \u{7f}"] {
            let Ok(value) = axum::http::HeaderValue::from_bytes(wrong.as_bytes()) else { continue };
            let mut asked = request(declared, &[HOST]);
            asked.headers_mut().insert("authorization", value);
            assert_eq!(answer(&web, asked).await, StatusCode::UNAUTHORIZED, "{declared:?} with `{wrong}`");
        }
    }
}

#[tokio::test]
async fn every_route_refuses_foreign_hosts_and_origins() {
    let web = web();
    let bearer = format!("Bearer {}", web.key);
    for declared in &web.declared {
        let probe = matches!(declared.path, "/livez" | "/readyz");
        for host in ["attacker.example", "10.attacker.example", "localhost.evil.com", "127.0.0.1.", "u@localhost"] {
            let got = answer(&web, request(declared, &[("host", host), ("authorization", &bearer)])).await;
            let refused = matches!(got, StatusCode::MISDIRECTED_REQUEST | StatusCode::FORBIDDEN);
            assert_eq!(refused, !probe, "{declared:?} under {host}: {got}");
        }
        for origin in ["http://attacker.example", "null", "http://127.0.0.1:4871", "https://127.0.0.1.evil.com"] {
            let headers = [HOST, ("origin", origin), ("authorization", bearer.as_str())];
            let got = answer(&web, request(declared, &headers)).await;
            assert_eq!(got == StatusCode::FORBIDDEN, !probe, "{declared:?} for {origin}: {got}");
        }
    }
}

#[tokio::test]
async fn what_is_not_declared_is_not_there() {
    let web = web();
    let bearer = format!("Bearer {}", web.key);
    let gone = [
        ("/api/nothing", StatusCode::NOT_FOUND),
        ("/corral.v1.QueryService/Nothing", StatusCode::NOT_FOUND),
        ("/corral.v1.queryservice/GetRun", StatusCode::NOT_FOUND),
        ("/api//login", StatusCode::NOT_FOUND),
        ("/API/login", StatusCode::NOT_FOUND),
        ("/api/login/", StatusCode::NOT_FOUND),
        ("/api/%6cogin", StatusCode::NOT_FOUND),
        ("/..%2f..%2fetc%2fpasswd", StatusCode::NOT_FOUND),
    ];
    for (path, expect) in gone {
        let asked = Request::get(path).header("host", HOST.1).header("authorization", &bearer);
        assert_eq!(answer(&web, asked.body(Body::empty()).unwrap()).await, expect, "{path}");
    }
    let asked = Request::get("/api/login").header("host", HOST.1).body(Body::empty()).unwrap();
    assert_eq!(answer(&web, asked).await, StatusCode::METHOD_NOT_ALLOWED);
    let asked = Request::get(format!("/metrics?key={}", web.key)).header("host", HOST.1).body(Body::empty()).unwrap();
    assert_eq!(answer(&web, asked).await, StatusCode::BAD_REQUEST);
    assert!(Routes::grpc(routes_of_nothing(), axum::Router::new(), &["/corral.v1.New/Method".into()]).is_err());
}

fn routes_of_nothing() -> Routes {
    let dir = tempfile::tempdir().expect("a directory");
    let access = Arc::new(Access::open(dir.path(), Clock::system()).expect("access opens"));
    Routes::new(Arc::new(Gate::new(access, HostRules::default(), 1)))
}

#[tokio::test]
async fn a_login_link_works_once_and_makes_both_halves_of_a_session() {
    let web = web();
    let bearer = format!("Bearer {}", web.key);
    let call = async |path: &str, headers: &[(&str, &str)], body: String| {
        let mut asked = Request::post(path).header("host", HOST.1).header("content-type", "application/json");
        for (name, value) in headers {
            asked = asked.header(*name, *value);
        }
        let response = web.router.clone().oneshot(asked.body(Body::from(body)).unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, headers, serde_json::from_slice::<serde_json::Value>(&body).unwrap())
    };
    let (_, _, made) = call("/api/login-token", &[("authorization", bearer.as_str())], String::new()).await;
    let body = serde_json::json!({ "token": made["token"] }).to_string();
    let (status, headers, session) = call("/api/login", &[], body.clone()).await;
    assert_eq!(status, StatusCode::OK);
    let cookie = headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let value = session["session_value"].as_str().unwrap();
    assert_eq!(call("/api/login", &[], body).await.0, StatusCode::UNAUTHORIZED, "a second time");
    assert_eq!(call("/api/login", &[], "{\"token\": 1}".into()).await.0, StatusCode::BAD_REQUEST);
    // Neither half alone; both do.
    for (headers, expect) in [
        (vec![("cookie", cookie)], StatusCode::UNAUTHORIZED),
        (vec![("x-corral-session", value)], StatusCode::UNAUTHORIZED),
        (vec![("cookie", cookie), ("x-corral-session", value)], StatusCode::OK),
        (vec![("cookie", cookie), ("x-corral-session", value)], StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(call("/api/logout", &headers, String::new()).await.0, expect, "{headers:?}");
    }
}
