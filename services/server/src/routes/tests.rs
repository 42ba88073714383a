//! Every route of the real wiring against the gate, and what the JSON door refuses.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use corral_access::Permission;
use corral_domain::limits::HTTP_BODY_BYTES_MAX;
use corral_web::route::{Call, Declared, GRPC};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;
use crate::serve::routes_alone;
use crate::testing::Home;

struct Walked {
    router: Router,
    declared: Vec<Declared>,
    key: String,
    tasks: Tasks,
    _home: Home,
}

async fn real_routes() -> Walked {
    let (home, tasks) = (Home::new(), Tasks::new());
    let routes = routes_alone(&home.config(), &tasks).await;
    let key = home.key().expose().to_owned();
    Walked { declared: routes.declared(), router: routes.build(), key, tasks, _home: home }
}

impl Walked {
    async fn end(self) {
        self.tasks.stop(0);
        self.tasks.run().await;
    }

    /// Posts to the JSON door; answers with the status and the error's field.
    async fn post(&self, path: &str, kind: &str, body: Vec<u8>) -> (StatusCode, serde_json::Value) {
        let request = Request::post(path)
            .header("host", HOST.1)
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", kind);
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn ask(&self, declared: &Declared, headers: &[(&str, &str)]) -> StatusCode {
        let method = if declared.call == Call::Get { Method::GET } else { Method::POST };
        let mut request = Request::builder().method(method).uri(declared.path);
        if declared.call == Call::Grpc {
            request = request.header("content-type", "application/grpc-web+proto");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let grpc = response.headers().get("grpc-status").map(|value| value.to_str().unwrap().to_owned());
        match grpc.as_deref() {
            Some("16") => StatusCode::UNAUTHORIZED,
            Some("7") => StatusCode::FORBIDDEN,
            _ => response.status(),
        }
    }
}

const HOST: (&str, &str) = ("host", "127.0.0.1:4870");

#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_the_server_is_behind_the_gate() {
    let walked = real_routes().await;
    let bearer = format!("Bearer {}", walked.key);
    let grpc = walked.declared.iter().filter(|declared| declared.call == Call::Grpc).count();
    assert_eq!(grpc, GRPC.len(), "every method that is declared is served: {:?}", walked.declared);
    for declared in &walked.declared {
        let open = declared.permission == Permission::Public && declared.path != "/session";
        let probe = matches!(declared.path, "/livez" | "/readyz");
        let nobody = walked.ask(declared, &[HOST]).await;
        assert_eq!(nobody == StatusCode::UNAUTHORIZED, !open, "{declared:?} without credentials: {nobody}");
        let wrong = walked.ask(declared, &[HOST, ("authorization", "Bearer corral_0123456789ab_0")]).await;
        assert_eq!(wrong, StatusCode::UNAUTHORIZED, "{declared:?} with a wrong key");
        let foreign = walked.ask(declared, &[("host", "attacker.example"), ("authorization", &bearer)]).await;
        let refused = matches!(foreign, StatusCode::MISDIRECTED_REQUEST | StatusCode::FORBIDDEN);
        assert_eq!(refused, !probe, "{declared:?} under a foreign host: {foreign}");
        let origin = [HOST, ("origin", "http://attacker.example"), ("authorization", bearer.as_str())];
        let foreign = walked.ask(declared, &origin).await;
        assert_eq!(foreign == StatusCode::FORBIDDEN, !probe, "{declared:?} for a foreign origin: {foreign}");
    }
    for path in ["/api/rebuild", "/api/log-show"] {
        let found = walked.declared.iter().find(|declared| declared.path == path);
        assert_eq!(found.map(|declared| declared.permission), Some(Permission::Admin), "{path}");
    }
    walked.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_json_door_takes_json_within_bounds_and_names_what_it_refuses() {
    let walked = real_routes().await;
    let path = |method: &str| format!("/api/corral.v1.QueryService/{method}");
    let json = "application/json";
    let big = vec![b' '; HTTP_BODY_BYTES_MAX + 1];
    for (path, kind, body, expect, field) in [
        (path("ListProjects"), json, b"{}".to_vec(), StatusCode::OK, None),
        (path("ListProjects"), "application/json; charset=utf-8", b"{}".to_vec(), StatusCode::OK, None),
        (path("ListProjects"), "text/plain", b"{}".to_vec(), StatusCode::BAD_REQUEST, Some("content-type")),
        (path("ListProjects"), json, b"{\"pageSize\": 1001}".to_vec(), StatusCode::BAD_REQUEST, Some("page_size")),
        (path("ListProjects"), json, b"{\"size\": 1}".to_vec(), StatusCode::BAD_REQUEST, Some("size")),
        (path("ListProjects"), json, b"\xff".to_vec(), StatusCode::BAD_REQUEST, Some("body")),
        (path("ListProjects"), json, big.clone(), StatusCode::PAYLOAD_TOO_LARGE, None),
        (path("ListRuns"), json, b"{\"project\": \"none\"}".to_vec(), StatusCode::NOT_FOUND, None),
        (path("GetRun"), json, b"{\"runId\": \"../x\"}".to_vec(), StatusCode::BAD_REQUEST, Some("run_id")),
        (path("GetRun"), json, b"{\"runId\": \"none\"}".to_vec(), StatusCode::NOT_FOUND, None),
        (path("GetHistory"), json, vec![b'['; 100_000], StatusCode::BAD_REQUEST, Some("body")),
        (path("Nothing"), json, b"{}".to_vec(), StatusCode::METHOD_NOT_ALLOWED, None),
        ("/api/rebuild".to_owned(), json, b"{}".to_vec(), StatusCode::BAD_REQUEST, Some("body")),
        (
            "/api/rebuild".to_owned(),
            json,
            b"{\"verify\": true, \"x\": 1}".to_vec(),
            StatusCode::BAD_REQUEST,
            Some("body"),
        ),
        ("/api/log-show".to_owned(), json, b"{\"run_id\": \"a b\"}".to_vec(), StatusCode::BAD_REQUEST, Some("run_id")),
        ("/api/log-show".to_owned(), json, big, StatusCode::PAYLOAD_TOO_LARGE, None),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let (status, said) = walked.post(&path, kind, body).await;
        assert_eq!((status, said["field"].as_str()), (expect, field), "{path} {kind} {shown}: {said}");
        assert_eq!(status == StatusCode::OK, said["reason"].is_null(), "{path} {shown}: {said}");
    }
    walked.end().await;
}
