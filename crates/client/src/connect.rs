//! The channel to a server, and the key on every call.

use std::time::Duration;

use corral_credentials::Secret;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status};

use crate::settings::Settings;
use crate::tls::Tls;

const CONNECT_MS_MAX: u64 = 5_000;
const KEEP_ALIVE_EVERY_MS: u64 = 10_000;
const KEEP_ALIVE_WAIT_MS_MAX: u64 = 20_000;

/// Puts the key into a request's metadata. Never into a URL, never into an error.
#[derive(Clone)]
pub struct Authorize(Option<MetadataValue<Ascii>>);

impl Authorize {
    pub(crate) fn new(key: Option<&Secret>) -> Self {
        let value = |key: &Secret| {
            let mut value = MetadataValue::try_from(format!("Bearer {}", key.expose())).ok()?;
            value.set_sensitive(true);
            Some(value)
        };
        Self(key.and_then(value))
    }
}

impl Interceptor for Authorize {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// Connects to the server of these settings, with their key on every call: for what is no training program. `Err` says
/// what is wrong with the URL, or why nobody answers there.
pub async fn connect(settings: &Settings) -> Result<InterceptedService<Channel, Authorize>, String> {
    let channel = endpoint(settings)?.connect().await?;
    Ok(InterceptedService::new(channel, Authorize::new(settings.key_now().as_ref())))
}

/// A server that can be connected to: where, and how.
pub(crate) struct Target {
    url: String,
    endpoint: Endpoint,
    tls: Option<Tls>,
}

/// `Err` says what is wrong with the URL (or the file of authorities); connecting happens later.
pub(crate) fn endpoint(settings: &Settings) -> Result<Target, String> {
    let url = &settings.url;
    let wrong = |error: &dyn std::fmt::Display| format!("{url}: {error}");
    let uri: Uri = url.parse().map_err(|error| wrong(&error))?;
    let tls = match uri.scheme_str() {
        Some("http") => None,
        Some("https") => Some(Tls::new(&uri, settings.ca_file.as_deref()).map_err(|error| wrong(&error))?),
        _ => return Err(format!("CORRAL_URL: {url:?} must be http:// or https:// and a host")),
    };
    // TLS is ours: the transport sees a plain connection, and the calls name the scheme that the server sees.
    let plain = match url.strip_prefix("https://") {
        Some(rest) => format!("http://{rest}"),
        None => url.clone(),
    };
    let endpoint = Endpoint::from_shared(plain).and_then(|plain| plain.user_agent(settings.name.clone()));
    let endpoint = endpoint.map_err(|error| wrong(&error))?.origin(uri);
    let endpoint = endpoint
        .connect_timeout(Duration::from_millis(CONNECT_MS_MAX))
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_millis(KEEP_ALIVE_EVERY_MS))
        .keep_alive_timeout(Duration::from_millis(KEEP_ALIVE_WAIT_MS_MAX))
        .keep_alive_while_idle(true);
    Ok(Target { url: url.clone(), endpoint, tls })
}

impl Target {
    pub(crate) async fn connect(&self) -> Result<Channel, String> {
        let channel = match &self.tls {
            Some(tls) => self.endpoint.connect_with_connector(tls.connector()).await,
            None => self.endpoint.connect().await,
        };
        channel.map_err(|error| {
            // tonic's own message is "transport error": what happened is at the end of the chain.
            let mut error: &dyn std::error::Error = &error;
            while let Some(source) = error.source() {
                error = source;
            }
            format!("{}: {error}", self.url)
        })
    }

    /// Connects at the first call, which may take so long (as all that follow).
    pub(crate) fn connect_lazy(self, answer_max: Duration) -> Channel {
        let endpoint = self.endpoint.timeout(answer_max);
        match &self.tls {
            Some(tls) => endpoint.connect_with_connector_lazy(tls.connector()),
            None => endpoint.connect_lazy(),
        }
    }
}
