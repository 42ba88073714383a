//! The client against a door behind TLS: whom it believes, and what it says of whom it does not.

#[allow(unreachable_pub, dead_code, reason = "a module of several tests, each of which uses a part")]
#[path = "support/door.rs"]
mod door;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corral_client::{Client, ClientError, OpenRun, Query, QueryError, Run, Settings};
use corral_domain::run::{FinishState, Resume};
use door::{Door, State};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

const WAIT: Duration = Duration::from_secs(30);

/// An authority of the test's own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

fn authority() -> Authority {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("a certificate");
    Authority { certificate, issuer: Issuer::new(params, key) }
}

impl Authority {
    fn file(&self, dir: &Path) -> PathBuf {
        let path = dir.join("ca.pem");
        std::fs::write(&path, self.certificate.pem()).expect("write");
        path
    }

    fn server(&self, name: &str, protocols: &[&str]) -> ServerConfig {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = key.serialize_der().try_into().expect("a key");
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a certificate and its key");
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}

/// Ends TLS in front of a door, as a proxy does; answers the https URL.
fn proxy(door: &Door, config: ServerConfig) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("non-blocking");
    let address = listener.local_addr().expect("an address");
    let (acceptor, behind) = (TlsAcceptor::from(Arc::new(config)), door.url.trim_start_matches("http://").to_owned());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, behind) = (acceptor.clone(), behind.clone());
                #[allow(clippy::disallowed_methods, reason = "a test's server")]
                tokio::spawn(async move {
                    let Ok(mut outer) = acceptor.accept(tcp).await else { return };
                    let Ok(mut inner) = tokio::net::TcpStream::connect(behind).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
                });
            }
        });
    });
    format!("https://{address}")
}

fn settings(url: &str, dir: &Path, ca_file: &Path) -> Settings {
    let mut settings = Settings::from_env("test/1");
    settings.set_url(url);
    settings.set_key("key");
    settings.dir = dir.to_owned();
    settings.ca_file = Some(ca_file.to_owned());
    settings
}

fn open(client: &Client) -> Run {
    let text = String::new;
    let open = OpenRun {
        project: "p".into(),
        id: "r".parse().expect("an id"),
        resume: Resume::Unspecified,
        launch_id: "l".into(),
        label: text(),
        name: text(),
        notes: text(),
        tags: Vec::new(),
        group: text(),
        job_type: text(),
        config: Vec::new(),
    };
    client.open_run(open).expect("a run")
}

fn state() -> Arc<Mutex<State>> {
    Arc::new(Mutex::new(State { log_epoch: 1, actor: "ada".into(), ..State::default() }))
}

#[test]
fn a_run_is_sent_and_a_question_asked_over_tls() {
    let (dir, state, authority) = (tempfile::tempdir().expect("a directory"), state(), authority());
    let door = Door::start("127.0.0.1:0", state.clone());
    let url = proxy(&door, authority.server("127.0.0.1", &["h2"]));
    let settings = settings(&url, dir.path(), &authority.file(dir.path()));
    let client = Client::start(settings.clone()).expect("a client");
    let run = open(&client);
    run.finish(FinishState::Finished, Some(0), "").expect("finish");
    let clock = corral_tasks::Clock::system();
    while !run.wait(Duration::from_millis(100)) {
        assert!(clock.monotonic() < WAIT, "{:?} {:?}", run.progress(), client.trouble());
    }
    assert_eq!(state.lock().expect("the state").writers.values().map(|writer| writer.hw).collect::<Vec<_>>(), [2]);
    assert!(client.close(), "everything is durable");
    // The door has no such service: its own word for that has come through.
    let answer = Query::connect(settings).projects(Default::default());
    assert!(matches!(&answer, Err(QueryError::Refused { message, .. }) if message.contains("not")), "{answer:?}");
}

/// What a client that gets no further says of the connection.
fn trouble(name: &str, protocols: &[&str], believed: &Authority, issuer: &Authority) -> String {
    let (dir, state) = (tempfile::tempdir().expect("a directory"), state());
    let door = Door::start("127.0.0.1:0", state.clone());
    let url = proxy(&door, issuer.server(name, protocols));
    let client = Client::start(settings(&url, dir.path(), &believed.file(dir.path()))).expect("a client");
    let run = open(&client);
    let clock = corral_tasks::Clock::system();
    let trouble = loop {
        match client.trouble() {
            Some(trouble) => break trouble,
            None => run.wait(Duration::from_millis(50)),
        };
        assert!(clock.monotonic() < WAIT, "no trouble at all");
    };
    assert_eq!(state.lock().expect("the state").connections, 0, "nothing was said to whom is not believed");
    trouble
}

#[test]
fn who_is_not_vouched_for_is_told_nothing() {
    let (ours, theirs) = (authority(), authority());
    let unknown = trouble("127.0.0.1", &["h2"], &ours, &theirs);
    assert!(unknown.contains("certificate"), "{unknown}");
    let name = trouble("corral.example", &["h2"], &ours, &ours);
    assert!(name.contains("not valid for name"), "{name}");
    let old = trouble("127.0.0.1", &["http/1.1"], &ours, &ours);
    assert!(old.contains("HTTP/2") || old.contains("NoApplicationProtocol"), "{old}");
}

#[test]
fn what_no_client_can_reach_is_refused_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let authorities = authority().file(dir.path());
    let start = |url: &str, ca_file: &Path| match Client::start(settings(url, dir.path(), ca_file)) {
        Err(ClientError::Url(why)) => why,
        Err(other) => panic!("{url}: {other}"),
        Ok(_) => panic!("{url} was taken"),
    };
    assert!(start("ftp://host", &authorities).contains("must be http:// or https://"));
    assert!(start("nonsense", &authorities).contains("CORRAL_URL"));
    assert!(start("https://127.0.0.1", &dir.path().join("none")).contains("CORRAL_CA_FILE"));
    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "no certificate").expect("write");
    assert!(start("https://127.0.0.1", &empty).contains("has no certificate"));
}
