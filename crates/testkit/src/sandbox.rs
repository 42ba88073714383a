//! A server in this process: a temporary home, the owner's key, clients for every door.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use bytes::Bytes;
use corral_access::{NewKey, Role, Scope};
use corral_credentials::Credentials;
use corral_domain::Micros;
use corral_server::{Config, Running, Sources};
use corral_tasks::{Clock, Tasks};
use corral_wire::proto;
use http::Request;
use serde_json::Value;
use tempfile::TempDir;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::http::{Answer, send};

/// A channel that says who asks.
pub type Authorized = InterceptedService<Channel, Bearer>;
pub type Ingest = proto::ingest_service_client::IngestServiceClient<Authorized>;
pub type Query = proto::query_service_client::QueryServiceClient<Authorized>;
pub type SessionClient = proto::session_service_client::SessionServiceClient<Authorized>;

/// Puts a key into every call; `None`: no key.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Bearer {
    pub fn new(key: &str) -> Self {
        Self(Some(format!("Bearer {key}").parse().expect("a header's text")))
    }

    pub fn none() -> Self {
        Self(None)
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// Both halves of a browser's session.
#[derive(Clone, Debug)]
pub struct Browser {
    /// `NAME=VALUE`.
    pub cookie: String,
    pub value: String,
}

pub struct Sandbox {
    home: TempDir,
    clock: Clock,
    running: Running,
    channel: Channel,
    key: String,
}

impl Sandbox {
    pub async fn start() -> Self {
        Self::start_at(Clock::system()).await
    }

    /// A server whose time is the test's.
    pub async fn start_at(clock: Clock) -> Self {
        Self::of(tempfile::tempdir().expect("a directory"), clock).await
    }

    async fn of(home: TempDir, clock: Clock) -> Self {
        let config = config(&home);
        let running = Running::start(&config, clock.clone(), Tasks::new()).await.expect("the server starts");
        let credentials = Credentials::load(&config.credentials.expect("a place for keys")).expect("credentials");
        // The first start wrote it down for the address that it had then.
        let key = credentials.default_url().and_then(|url| credentials.key(url)).expect("the owner's key");
        let endpoint = Endpoint::from_shared(running.url().to_owned()).expect("a URL");
        let channel = endpoint.connect().await.expect("a connection");
        Self { key: key.expose().to_owned(), home, clock, running, channel }
    }

    /// Shuts the server down and starts it again on the same data.
    pub async fn restart(self) -> Self {
        let Self { home, clock, running, .. } = self;
        assert!(is_success(running.shutdown().await), "the server drains");
        Self::of(home, clock).await
    }

    pub async fn stop(self) {
        drop(self.stop_and_keep().await);
    }

    /// Stops it and leaves its data to the caller, for as long as what is returned lives.
    pub async fn stop_and_keep(self) -> TempDir {
        let Self { home, running, .. } = self;
        assert!(is_success(running.shutdown().await), "the server drains");
        home
    }

    pub fn data_dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    pub fn running(&self) -> &Running {
        &self.running
    }

    pub fn address(&self) -> SocketAddr {
        self.running.address()
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    /// What a request's `Authorization` must say.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.key)
    }

    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// A connection of its own: what is done to it happens to nobody else.
    pub async fn own_channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(self.running.url().to_owned()).expect("a URL");
        endpoint.connect().await.expect("a connection")
    }

    /// The telemetry door with another key.
    pub fn ingest_with(&self, key: &str) -> Ingest {
        Ingest::new(InterceptedService::new(self.channel(), Bearer::new(key)))
    }

    fn authorized(&self) -> Authorized {
        InterceptedService::new(self.channel(), Bearer::new(&self.key))
    }

    pub fn ingest(&self) -> Ingest {
        Ingest::new(self.authorized())
    }

    pub fn query(&self) -> Query {
        Query::new(self.authorized())
    }

    pub fn session(&self) -> SessionClient {
        SessionClient::new(self.authorized())
    }

    /// A key of somebody's, which may do all that an admin may within its scope.
    pub fn key_of(&self, actor: &str, scope: Scope, expires: Option<Micros>) -> String {
        let actor = actor.parse().expect("an actor");
        let new = NewKey { name: "a test's".to_owned(), actor, role: Role::Admin, scope, expires };
        self.running.access().create_key(new).expect("a key").1.expose().to_owned()
    }

    /// A request with the owner's key.
    pub fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(path).header("authorization", self.bearer())
    }

    pub async fn send(&self, request: Request<Bytes>) -> Answer {
        send(self.address(), request).await.expect("an answer")
    }

    /// A question as JSON, with the owner's key.
    pub async fn ask(&self, method: &str, body: impl Into<Bytes>) -> Answer {
        let request = self.request("POST", &format!("/api/corral.v1.QueryService/{method}"));
        let request = request.header("content-type", "application/json").body(body.into()).expect("a request");
        self.send(request).await
    }

    /// The good answer of a question as JSON.
    pub async fn json(&self, method: &str, body: Value) -> Value {
        let answer = self.ask(method, body.to_string()).await;
        assert_eq!(answer.status, 200, "{method} {body}: {}", answer.text());
        answer.json()
    }

    /// Signs a browser in by a login link.
    pub async fn browser(&self) -> Browser {
        let link = self.running.login_link().expect("a link");
        let (_, token) = link.split_once('#').expect("a token");
        let body = serde_json::json!({ "token": token }).to_string();
        let request = Request::post("/api/login").header("content-type", "application/json");
        let answer = self.send(request.body(body.into()).expect("a request")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let cookie = answer.headers["set-cookie"].to_str().expect("a cookie");
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let value = answer.json()["session_value"].as_str().expect("a value").to_owned();
        Browser { cookie, value }
    }

    pub async fn run(&self, run: &str, freshness: Option<proto::Freshness>) -> Result<proto::GetRunResponse, Status> {
        let request = proto::GetRunRequest { freshness, run_id: run.to_owned() };
        Ok(self.query().get_run(request).await?.into_inner())
    }

    pub async fn history(&self, request: proto::GetHistoryRequest) -> Result<proto::GetHistoryResponse, Status> {
        Ok(self.query().get_history(request).await?.into_inner())
    }

    /// Waits until a question has an answer that is good enough; for what no position names.
    pub async fn until<T>(&self, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
        let found = async {
            loop {
                if let Some(found) = ask().await {
                    return found;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(crate::http::ANSWER_WAIT, found).await.expect("it happens in time")
    }
}

fn config(home: &TempDir) -> Config {
    let place = home.path().to_str().expect("a path in UTF-8").to_owned();
    let env = |name: &str| {
        let dir = match name {
            "HOME" => Some(""),
            "XDG_CONFIG_HOME" => Some("/config"),
            "XDG_DATA_HOME" => Some("/share"),
            "XDG_STATE_HOME" => Some("/state"),
            _ => None,
        };
        dir.map(|dir| OsString::from(format!("{place}{dir}")))
    };
    let flags = BTreeMap::from([("listen", "127.0.0.1:0".to_owned()), ("data_dir", format!("{place}/data"))]);
    Config::load(&Sources { env: &env, file: None, flags }).expect("a configuration")
}

fn is_success(code: ExitCode) -> bool {
    // An exit code can be shown and not compared.
    format!("{code:?}") == format!("{:?}", ExitCode::SUCCESS)
}

/// The status code of a call that must not succeed.
pub fn refused<T: std::fmt::Debug>(result: Result<T, Status>, code: Code) -> Status {
    let status = result.expect_err("it is refused");
    assert_eq!(status.code(), code, "{status}");
    status
}
