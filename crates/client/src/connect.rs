//! The channel to a server, and the key on every call.

use std::time::Duration;

use corral_credentials::Secret;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

const CONNECT_MS_MAX: u64 = 5_000;
const KEEP_ALIVE_EVERY_MS: u64 = 10_000;
const KEEP_ALIVE_WAIT_MS_MAX: u64 = 20_000;

/// Puts the key into a request's metadata. Never into a URL, never into an error.
#[derive(Clone)]
pub(crate) struct Authorize(Option<MetadataValue<Ascii>>);

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

/// `Err` says what is wrong with the URL; connecting happens later.
pub(crate) fn endpoint(url: &str, user_agent: &str) -> Result<Endpoint, String> {
    if !url.starts_with("http://") {
        return Err(format!(
            "{url}: this client speaks plain http:// only; put a tunnel or a local proxy in front of TLS"
        ));
    }
    let endpoint =
        Endpoint::from_shared(url.to_owned()).and_then(|endpoint| endpoint.user_agent(user_agent.to_owned()));
    let endpoint = endpoint.map_err(|error| format!("{url}: {error}"))?;
    Ok(endpoint
        .connect_timeout(Duration::from_millis(CONNECT_MS_MAX))
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_millis(KEEP_ALIVE_EVERY_MS))
        .keep_alive_timeout(Duration::from_millis(KEEP_ALIVE_WAIT_MS_MAX))
        .keep_alive_while_idle(true))
}

pub(crate) async fn connect(url: &str, user_agent: &str) -> Result<Channel, String> {
    let channel = endpoint(url, user_agent)?.connect().await;
    channel.map_err(|error| {
        // tonic's own message is "transport error": what happened is at the end of the chain.
        let mut error: &dyn std::error::Error = &error;
        while let Some(source) = error.source() {
            error = source;
        }
        format!("{url}: {error}")
    })
}
