//! Who gets in, and what those who do not are told.

use std::time::Duration;

use corral_domain::limits::CQL_CONNECT_MS_MAX;
use corral_read_store_scylla::schema::{self, SchemaError};
use corral_read_store_scylla::{Cluster, Config, ConnectError, Login, Tls};

use super::engine;

fn config() -> Config {
    engine().config("access")
}
fn with_tls(ca: std::path::PathBuf) -> Config {
    Config { tls: Some(Tls { ca: Some(ca), identity: None }), ..config() }
}
/// In time, and by the name of the setting.
async fn refused(config: Config, setting: &str) -> ConnectError {
    let within = Duration::from_millis(CQL_CONNECT_MS_MAX + 1_000);
    let end = tokio::time::timeout(within, Cluster::connect(&config)).await;
    let error = end.expect("an answer in time").err().expect("a refusal");
    assert!(error.to_string().starts_with(&format!("{setting}: ")), "{error}");
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_and_a_password_let_in() {
    let cluster = Cluster::connect(&with_tls(engine().ca())).await.expect("a connection");
    let missing = schema::check(&cluster).await.unwrap_err();
    assert!(matches!(missing, SchemaError::Missing { .. }), "{missing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_login_is_told() {
    let login = |user: &str, password: &str| Some(Login { user: user.to_owned(), password: password.to_owned() });
    for wrong in [login("cassandra", "wrong"), login("nobody", "cassandra")] {
        let error = refused(Config { login: wrong, ..config() }, "user, password").await;
        assert!(matches!(error, ConnectError::Refused { .. }) && !error.is_retryable(), "{error}");
    }
    let error = refused(Config { login: None, ..config() }, "user, password").await;
    assert!(matches!(error, ConnectError::NoLogin), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_that_did_not_sign_is_told() {
    let error = refused(with_tls(engine().other_ca()), "tls.ca").await;
    assert!(matches!(error, ConnectError::Untrusted { .. }) && !error.is_retryable(), "{error}");
    // The system's did not sign either.
    refused(Config { tls: Some(Tls::default()), ..config() }, "tls.ca").await;
    refused(with_tls("/nowhere/ca.pem".into()), "tls.ca").await;
    let identity = Some((engine().ca(), "/nowhere/key.pem".into()));
    let tls = Some(Tls { ca: Some(engine().ca()), identity });
    refused(Config { tls, ..config() }, "tls.key").await;
}

/// A port that nobody listens on, one that listens and says nothing, one that speaks no TLS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_does_not_answer_is_told() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for address in [closed, silent.local_addr().unwrap()] {
        let error = refused(Config { nodes: vec![address.to_string()], ..config() }, "nodes").await;
        assert!(error.is_retryable() && error.to_string().contains(&address.to_string()), "{error}");
    }
    refused(Config { nodes: vec!["no.such.host.invalid:9042".to_owned()], ..config() }, "nodes").await;
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = plain.local_addr().unwrap().to_string();
    let hangs_up = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = plain.accept().unwrap();
            let _ = std::io::Write::write_all(&mut stream, b"no TLS here\r\n");
        }
    });
    let error = refused(Config { nodes: vec![address], ..with_tls(engine().ca()) }, "tls").await;
    assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
    drop(hangs_up);
}
