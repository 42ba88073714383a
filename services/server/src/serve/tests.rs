//! Start, what others find, and the end; and every route of the real wiring against the gate.

use std::os::unix::fs::PermissionsExt as _;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use corral_access::Permission;
use corral_web::route::{Call, Declared, GRPC};
use tower::ServiceExt as _;

use super::*;
use crate::testing::{Home, Writer, is_success};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_where_it_is_serves_and_goes() {
    let home = Home::new();
    let running = home.start().await.unwrap();
    let data_dir = home.config().data_dir;
    let said = Announcement::read(&data_dir).unwrap();
    assert_eq!((said.url.as_str(), said.pid), (running.url(), std::process::id()));
    assert_ne!(running.address().port(), 0);
    let credentials = running.key_written_to().unwrap().to_owned();
    assert_eq!(std::fs::metadata(&credentials).unwrap().permissions().mode() & 0o777, 0o600);
    let link = running.login_link().unwrap();
    assert!(link.starts_with(&format!("{}/login#", running.url())), "{link}");

    let mut writer = Writer::open(&running, &home.key(), "a-run").await;
    writer.points(10).await;
    assert!(is_success(running.shutdown().await));
    assert_eq!(Announcement::read(&data_dir), None, "nobody serves it any more");

    // The same directory again: the owner is there, and so is what was acknowledged.
    let again = home.start().await.unwrap();
    assert_eq!(again.key_written_to(), None);
    assert_eq!(Announcement::read(&data_dir).unwrap().url, again.url());
    assert!(is_success(again.shutdown().await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_has_one_owner() {
    let home = Home::new();
    let running = home.start().await.unwrap();
    let said = Announcement::read(&home.config().data_dir);
    let error = home.start().await.err().unwrap().to_string();
    assert!(error.starts_with("data_dir: ") && error.contains("is in use by another process (pid "), "{error}");
    assert_eq!(Announcement::read(&home.config().data_dir), said, "who was there first is still announced");
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named_before_anything_is_opened() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = home.config();
    config.listen = taken.local_addr().unwrap();
    let error = Running::start(&config, Clock::system(), Tasks::new()).await.err().unwrap().to_string();
    assert!(error.starts_with(&format!("listen: {}", config.listen)), "{error}");
    assert!(!config.data_dir.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_can_be_told_the_key_there_is_no_owner() {
    let home = Home::new();
    let mut config = home.config();
    config.credentials = None;
    let error = Running::start(&config, Clock::system(), Tasks::new()).await.err().unwrap().to_string();
    assert!(error.contains("there is no place for credentials"), "{error}");
    let running = home.start().await.unwrap();
    assert!(running.key_written_to().is_some(), "the next start makes one");
    running.shutdown().await;
}

struct Walked {
    router: axum::Router,
    declared: Vec<Declared>,
    key: String,
    tasks: Tasks,
    _home: Home,
}

async fn real_routes() -> Walked {
    let (home, tasks) = (Home::new(), Tasks::new());
    let config = home.config();
    let opened = open(&config, &Clock::system(), &tasks).await.unwrap();
    let address = "127.0.0.1:4870".parse().unwrap();
    first_start(&config, &opened.access, &Announcement::new(address)).unwrap();
    let routes = start_services(&config, opened, Clock::system(), &tasks, address).await.unwrap();
    let key = home.key().expose().to_owned();
    Walked { declared: routes.declared(), router: routes.build(), key, tasks, _home: home }
}

impl Walked {
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
    walked.tasks.stop(0);
    walked.tasks.run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_and_readiness_are_those_of_the_process() {
    let home = Home::new();
    let running = home.start().await.unwrap();
    let key = home.key();
    let mut writer = Writer::open(&running, &key, "a-run").await;
    writer.points(10).await;
    let local = crate::local::Local::find(&home.config(), None).unwrap();
    let ready = async {
        while local.get("/readyz").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), ready).await.unwrap();
    let text = String::from_utf8(local.get("/metrics").await.unwrap().to_vec()).unwrap();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse::<f64>().unwrap()
    };
    assert_eq!(value("corral_ingest_items_total"), 12.0, "the opening, the metric, ten calls");
    assert!(value("corral_log_appends_total") >= 4.0, "and the project's name");
    assert!((1.0..=value("corral_log_appends_total")).contains(&value("corral_log_syncs_total")));
    assert_eq!(value("corral_log_queue_bytes"), 0.0);
    assert_eq!(value("corral_sessions"), 0.0);
    assert!(text.contains("corral_projector_lag_seconds{partition=\"3\"}"), "{text}");
    running.shutdown().await;
}
