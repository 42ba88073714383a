//! What a request is before any route sees it: the name that a trusted proxy was asked for, and the path without the part
//! that is the public URL's.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::header::HOST;
use axum::http::uri::{Authority, PathAndQuery};
use axum::http::{HeaderName, HeaderValue, Request, Uri};

use crate::config::{Config, Network};

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// A handle, cheap to clone.
#[derive(Clone)]
pub(crate) struct Front(Arc<Inner>);

struct Inner {
    trusted: Vec<Network>,
    /// Without a slash at the end; empty: none.
    path: String,
}

impl Front {
    pub(crate) fn new(config: &Config) -> Self {
        let path = config.hosts.public_path().to_owned();
        Self(Arc::new(Inner { trusted: config.trusted_proxies.clone(), path }))
    }

    pub(crate) fn prepare<B>(&self, peer: SocketAddr, mut request: Request<B>) -> Request<B> {
        if self.0.trusted.iter().any(|network| network.contains(peer.ip())) {
            forwarded(&mut request);
        }
        if let Some(rest) = self.below(request.uri()) {
            *request.uri_mut() = rest;
        }
        request
    }

    /// The URI without the public URL's path, where it has it. A proxy may take it away or leave it.
    fn below(&self, uri: &Uri) -> Option<Uri> {
        let rest = uri.path_and_query()?.as_str().strip_prefix(&self.0.path).filter(|_| !self.0.path.is_empty())?;
        let rest = match rest.chars().next() {
            Some('/') => PathAndQuery::try_from(rest).ok()?,
            Some('?') | None => PathAndQuery::try_from(format!("/{rest}")).ok()?,
            // `/corral` is not a part of `/corrals`.
            Some(_) => return None,
        };
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(rest);
        Uri::from_parts(parts).ok()
    }
}

/// The name that the browser asked the proxy for; the first of several proxies knew it best.
fn forwarded<B>(request: &mut Request<B>) {
    let named = request.headers().get(FORWARDED_HOST).and_then(|value| value.to_str().ok());
    let Some(named) = named.and_then(|names| names.split(',').next()).map(|name| name.trim().to_owned()) else {
        return;
    };
    let (Ok(value), Ok(authority)) = (HeaderValue::from_str(&named), named.parse::<Authority>()) else { return };
    request.headers_mut().insert(HOST, value);
    let mut parts = request.uri().clone().into_parts();
    // HTTP/2 names the host in the URI.
    if parts.authority.is_some() {
        parts.authority = Some(authority);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
}

#[cfg(test)]
mod tests;
