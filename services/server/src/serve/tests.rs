//! Start, what others find, and the end.

use std::os::unix::fs::PermissionsExt as _;

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
    assert_eq!(value("corral_ingest_window_bytes"), 0.0);
    assert_eq!(value("corral_sessions"), 0.0);
    assert!(text.contains("corral_projector_lag_seconds{partition=\"3\"}"), "{text}");
    assert_eq!((value("corral_ownership_partitions"), value("corral_ownership_members")), (4.0, 1.0));
    assert!(value("corral_hub_published_total") > 0.0 && value("corral_hub_outward_messages_max") == 0.0);
    let types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
    let names: std::collections::BTreeSet<&str> = types.iter().copied().collect();
    assert_eq!(types.len(), names.len(), "each figure is said once: {types:?}");
    // A queue is shown beside its bound.
    for max in names.iter().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix("_max gauge")) {
        assert!(names.contains(&*format!("# TYPE {max} gauge")), "{max}_max without {max}");
    }
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_health_is_open_and_reflection_needs_a_key() {
    use tonic_health::pb::health_client::HealthClient;
    use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    let home = Home::new();
    let running = home.start().await.unwrap();
    let channel = tonic::transport::Endpoint::from_shared(running.url().to_owned()).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel.clone());
    let said = health.check(HealthCheckRequest { service: String::new() }).await.unwrap().into_inner();
    assert_eq!(said.status(), ServingStatus::Serving);

    let mut reflection = ServerReflectionClient::new(channel);
    let ask = || {
        let message_request = Some(MessageRequest::ListServices(String::new()));
        let request = ServerReflectionRequest { host: String::new(), message_request };
        tonic::Request::new(tokio_stream::iter([request]))
    };
    let denied = reflection.server_reflection_info(ask()).await.unwrap_err();
    assert_eq!(denied.code(), tonic::Code::Unauthenticated);
    let mut request = ask();
    let bearer = format!("Bearer {}", home.key().expose());
    request.metadata_mut().insert("authorization", bearer.parse().unwrap());
    let mut answers = reflection.server_reflection_info(request).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(services) = answer else { panic!("{answer:?}") };
    assert!(services.service.iter().any(|service| service.name == "corral.v1.QueryService"), "{services:?}");
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_tells_its_clients_to_come_back() {
    use corral_wire::proto::{self, append_request, append_response};

    let home = Home::new();
    let running = home.start().await.unwrap();
    let url = running.url().to_owned();
    let mut door = proto::ingest_service_client::IngestServiceClient::connect(url).await.unwrap();
    let (frames, receiver) = tokio::sync::mpsc::channel(4);
    let hello = proto::ClientHello { protocol_version: 1, client: "test".to_owned() };
    frames.send(proto::AppendRequest { frame: Some(append_request::Frame::Hello(hello)) }).await.unwrap();
    let mut request = tonic::Request::new(tokio_stream::wrappers::ReceiverStream::new(receiver));
    let bearer = format!("Bearer {}", home.key().expose());
    request.metadata_mut().insert("authorization", bearer.parse().unwrap());
    let mut answers = door.append(request).await.unwrap().into_inner();
    let mut next = async || answers.message().await.unwrap().and_then(|answer| answer.frame);
    assert!(matches!(next().await, Some(append_response::Frame::Hello(_))));
    let (code, drained) = tokio::join!(running.shutdown(), next());
    assert!(matches!(drained, Some(append_response::Frame::Drain(drain)) if drain.reconnect_after_ms > 0));
    assert!(is_success(code));
}
