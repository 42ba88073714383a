//! A server in this process, spread as the topology says: a temporary home, the owner's key, clients for every door.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use corral_access::{NewKey, Role, Scope, Secret};
use corral_credentials::Credentials;
use corral_domain::Micros;
use corral_event_log::EventLog;
use corral_event_log_embedded::EmbeddedLog;
use corral_event_log_kafka::KafkaLog;
use corral_server::{Config, Running, Sources, create_owner};
use corral_tasks::{Clock, Tasks};
use corral_web::route::Declared;
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
use crate::topology::{Places, Topology};

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
    /// Where engines keep what is kept; `None`: in the home.
    places: Option<Places>,
    processes: Vec<Running>,
    /// To the process that ends sessions and answers questions, and to the one that takes points.
    web: Channel,
    ingest: Channel,
    key: String,
}

impl Sandbox {
    pub async fn start() -> Self {
        Self::start_at(Clock::system()).await
    }

    /// A server whose time is the test's.
    pub async fn start_at(clock: Clock) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let (mut places, mut key) = (None, None);
        if Topology::chosen() != Topology::Embedded {
            let new = Places::new().await;
            let config = config(&home, Some(&new), "all");
            let hand_over = |made: &Secret| {
                key = Some(made.expose().to_owned());
                Ok::<_, Infallible>(())
            };
            assert!(create_owner(&config, hand_over).await.expect("an owner"), "the vault is new");
            places = Some(new);
        }
        Self::of(home, places, (clock, key)).await
    }

    async fn of(home: TempDir, places: Option<Places>, (clock, key): (Clock, Option<String>)) -> Self {
        let mut processes = Vec::new();
        for roles in Topology::chosen().processes() {
            let config = config(&home, places.as_ref(), &roles);
            let running = Running::start(&config, clock.clone(), Tasks::new()).await;
            processes.push(running.unwrap_or_else(|error| panic!("{roles} does not start: {error}")));
        }
        let key = key.unwrap_or_else(|| {
            // The first start wrote it down for the address that it had then.
            let credentials = config(&home, None, "all").credentials.expect("a place for keys");
            let credentials = Credentials::load(&credentials).expect("credentials");
            let key = credentials.default_url().and_then(|url| credentials.key(url)).expect("the owner's key");
            key.expose().to_owned()
        });
        let ingest = serving(&processes, APPEND).unwrap_or(&processes[0]);
        let (ingest, web) = (connect(ingest).await, connect(&processes[0]).await);
        let sandbox = Self { home, clock, places, processes, web, ingest, key };
        sandbox.ready().await;
        sandbox
    }

    /// Where roles are apart nothing else says that somebody projects.
    async fn ready(&self) {
        for process in self.processes.iter().filter(|_| self.places.is_some()) {
            let ready = async || {
                let request = Request::get("/readyz").body(Bytes::new()).expect("a request");
                let answer = send(process.address(), request).await.expect("an answer");
                (answer.status == 200).then_some(())
            };
            self.until(ready).await;
        }
    }

    /// Shuts the server down and starts it again on the same data.
    pub async fn restart(self) -> Self {
        let Self { home, clock, processes, places, key, .. } = self;
        shutdown(processes).await;
        Self::of(home, places, (clock, Some(key))).await
    }

    pub async fn stop(self) {
        let Self { processes, places, .. } = self;
        shutdown(processes).await;
        places.into_iter().for_each(Places::release);
    }

    /// Stops it and opens its event log, for as long as what is returned lives.
    pub async fn stop_and_look(self) -> (Arc<dyn EventLog>, TempDir) {
        let Self { home, processes, places, clock, .. } = self;
        shutdown(processes).await;
        let clock: corral_event_log::Clock = Arc::new(move || clock.now());
        let log: Arc<dyn EventLog> = match &places {
            None => {
                let dir = home.path().join("data/log");
                Arc::new(EmbeddedLog::open_dir(&dir, clock).expect("the log opens"))
            }
            Some(places) => {
                let options = corral_event_log_kafka::Options { clock, trace: None };
                Arc::new(KafkaLog::open(places.kafka(), options).await.expect("the log opens"))
            }
        };
        places.into_iter().for_each(Places::release);
        (log, home)
    }

    /// A figure of `/metrics`, of each process that has it.
    pub async fn figure(&self, name: &str) -> Vec<f64> {
        let mut found = Vec::new();
        for process in &self.processes {
            let request = self.request("GET", "/metrics").body(Bytes::new()).expect("a request");
            let text = send(process.address(), request).await.expect("an answer").text();
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            found.extend(line.map(|value| value.parse::<f64>().expect("a number")));
        }
        found
    }

    /// Every route that the processes serve, with its permission.
    pub fn routes(&self) -> Vec<Declared> {
        let mut routes: Vec<Declared> = self.processes.iter().flat_map(|process| process.routes().to_vec()).collect();
        routes.sort();
        routes.dedup();
        routes
    }

    /// Where a path is served; what nobody serves is asked of the process that has the page.
    pub fn address_of(&self, path: &str) -> SocketAddr {
        let path = path.split('?').next().unwrap_or_default();
        serving(&self.processes, path).unwrap_or(&self.processes[0]).address()
    }

    /// Of the process that has the page.
    pub fn address(&self) -> SocketAddr {
        self.processes[0].address()
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    /// What a request's `Authorization` must say.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.key)
    }

    pub fn channel(&self) -> Channel {
        self.web.clone()
    }

    /// A connection to the telemetry door of its own: what is done to it happens to nobody else.
    pub async fn own_channel(&self) -> Channel {
        connect(serving(&self.processes, APPEND).unwrap_or(&self.processes[0])).await
    }

    /// The telemetry door with another key.
    pub fn ingest_with(&self, key: &str) -> Ingest {
        Ingest::new(InterceptedService::new(self.ingest.clone(), Bearer::new(key)))
    }

    fn authorized(&self) -> Authorized {
        InterceptedService::new(self.channel(), Bearer::new(&self.key))
    }

    pub fn ingest(&self) -> Ingest {
        self.ingest_with(&self.key)
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
        tokio::task::block_in_place(|| self.processes[0].access().create_key(new)).expect("a key").1.expose().to_owned()
    }

    /// A request with the owner's key.
    pub fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(path).header("authorization", self.bearer())
    }

    pub async fn send(&self, request: Request<Bytes>) -> Answer {
        send(self.address_of(request.uri().path()), request).await.expect("an answer")
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
        let link = tokio::task::block_in_place(|| self.processes[0].login_link()).expect("a link");
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

const APPEND: &str = "/corral.v1.IngestService/Append";

/// The first process that serves a path.
fn serving<'a>(processes: &'a [Running], path: &str) -> Option<&'a Running> {
    processes.iter().find(|process| process.routes().iter().any(|route| route.path == path))
}

async fn connect(process: &Running) -> Channel {
    let endpoint = Endpoint::from_shared(process.url().to_owned()).expect("a URL");
    endpoint.connect().await.expect("a connection")
}

/// Along the flow: doors first.
async fn shutdown(processes: Vec<Running>) {
    for process in processes.into_iter().rev() {
        assert!(is_success(process.shutdown().await), "the server drains");
    }
}

fn config(home: &TempDir, places: Option<&Places>, roles: &str) -> Config {
    let place = home.path().to_str().expect("a path in UTF-8").to_owned();
    let env = |name: &str| {
        let dir = match name {
            "HOME" => Some(""),
            "XDG_CONFIG_HOME" => Some("/config"),
            "XDG_DATA_HOME" => Some("/share"),
            "XDG_STATE_HOME" => Some("/state"),
            "CORRAL_STORE_PASSWORD" => return places.map(|places| OsString::from(places.password())),
            _ => None,
        };
        dir.map(|dir| OsString::from(format!("{place}{dir}")))
    };
    let mut flags = BTreeMap::from([("listen", "127.0.0.1:0".to_owned()), ("data_dir", format!("{place}/data"))]);
    flags.insert("roles", roles.to_owned());
    flags.extend(places.into_iter().flat_map(Places::flags));
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
