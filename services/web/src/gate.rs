//! What every request passes before a handler sees it: host and origin, who asks, and the route's permission.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, HeaderName, ORIGIN, UPGRADE};
use axum::http::{HeaderMap, Method, Request};
use corral_access::{Access, Denied, HostDenied, HostRules, Permission, Principal, RequestOrigin, authorize};
use corral_ingest::Author;
use corral_wire::{ApiError, ErrorKind};

/// The browser's second half of a session; the first is the cookie. Cookies of one host reach every port, this does not.
pub const SESSION_HEADER: HeaderName = HeaderName::from_static("x-corral-session");

/// How API keys begin: what looks like one has no place in a URL.
const KEY_START: &str = "corral_";

/// The gate of one server.
pub struct Gate {
    access: Arc<Access>,
    hosts: HostRules,
    /// `corral_<port>` (the public URL's, if there is one), or with `__Host-` before it behind https.
    cookie: String,
    /// Requests that did not pass, by reason: a closed set of texts.
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

impl Gate {
    pub fn new(access: Arc<Access>, hosts: HostRules, port: u16) -> Self {
        // Processes behind one public URL have one cookie.
        let port = hosts.public_port().unwrap_or(port);
        let cookie = if hosts.is_https() { format!("__Host-corral_{port}") } else { format!("corral_{port}") };
        Self { access, hosts, cookie, refused: Mutex::default() }
    }

    pub fn access(&self) -> &Access {
        &self.access
    }

    pub fn cookie_name(&self) -> &str {
        &self.cookie
    }

    pub fn hosts(&self) -> &HostRules {
        &self.hosts
    }

    /// How many requests did not pass, by reason; read by `/metrics`.
    pub fn refused(&self) -> Vec<(&'static str, u64)> {
        self.reasons().iter().map(|(reason, count)| (*reason, *count)).collect()
    }

    fn reasons(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        // Nothing panics while it is held.
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a request pass, with who asks in its extensions ([`Principal`], and [`Author`] for the telemetry door).
    pub async fn admit(&self, request: &mut Request<Body>, permission: Permission) -> Result<(), ApiError> {
        let admitted = self.check(request, permission).await;
        if let Err(error) = &admitted {
            *self.reasons().entry(error.reason).or_default() += 1;
        }
        admitted
    }

    async fn check(&self, request: &mut Request<Body>, permission: Permission) -> Result<(), ApiError> {
        if !is_exempt(request) {
            self.check_host(request)?;
        }
        if request.uri().query().is_some_and(|query| query.contains(KEY_START)) {
            return Err(ApiError::invalid(
                "authorization",
                "a key goes into the Authorization header, never into a URL",
            ));
        }
        let principal = self.principal(request.headers()).await?;
        authorize(principal.as_ref(), permission).map_err(denied)?;
        if let Some(principal) = principal {
            let (organization, actor) = (principal.organization, principal.actor.clone());
            request.extensions_mut().insert(Author { organization, actor });
            request.extensions_mut().insert(principal);
        }
        Ok(())
    }

    /// Host and Origin, for what is not exempt.
    pub fn check_host(&self, request: &Request<Body>) -> Result<(), ApiError> {
        let headers = request.headers();
        let twice = [HOST, ORIGIN].iter().any(|name| headers.get_all(name).iter().count() > 1);
        let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        // HTTP/2 names the host in `:authority`, HTTP/1 in `Host`.
        let host = request.uri().authority().map(|authority| authority.as_str()).or_else(|| text(&HOST));
        let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let asked = RequestOrigin {
            host,
            origin: text(&ORIGIN),
            fetch_site: text(&HeaderName::from_static("sec-fetch-site")),
            changes: !safe || headers.contains_key(UPGRADE) || request.method() == Method::CONNECT,
        };
        match self.hosts.check(asked) {
            Ok(()) if !twice => Ok(()),
            Err(HostDenied::Origin) => Err(ApiError::new(ErrorKind::Denied, HostDenied::Origin.to_string())),
            _ => Err(ApiError::new(ErrorKind::Misdirected, HostDenied::Host.to_string())),
        }
    }

    /// Who asks: by key, or by both halves of a session. No credentials is nobody; wrong ones are an error even where a
    /// route is open to all.
    async fn principal(&self, headers: &HeaderMap) -> Result<Option<Principal>, ApiError> {
        if let Some(value) = headers.get(AUTHORIZATION) {
            let key = value.to_str().ok().and_then(bearer).ok_or_else(|| denied(Denied::Unauthenticated))?;
            return self.access.verify_now(key).await.map(Some).map_err(denied);
        }
        let value = headers.get(SESSION_HEADER).and_then(|value| value.to_str().ok());
        match (self.cookie_of(headers), value) {
            (Some(cookie), Some(value)) => self.access.session_now(cookie, value).await.map(Some).map_err(denied),
            _ => Ok(None),
        }
    }

    /// This server's cookie of a request.
    pub fn cookie_of<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.cookie).map(|(_, value)| value)
    }
}

/// `Bearer KEY`, the word in any case.
fn bearer(value: &str) -> Option<&str> {
    let (word, key) = value.split_once(' ')?;
    word.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

/// Probes, which name a pod's address, and gRPC calls with a key, which no browser can make.
fn is_exempt(request: &Request<Body>) -> bool {
    let headers = request.headers();
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let grpc = kind.starts_with("application/grpc") && !kind.starts_with("application/grpc-web");
    let probe = matches!(request.uri().path(), "/livez" | "/readyz") && request.method() == Method::GET;
    probe || (grpc && headers.contains_key(AUTHORIZATION) && !headers.contains_key(ORIGIN))
}

/// What a refusal of the access rules is on the wire.
pub fn denied(denied: Denied) -> ApiError {
    let kind = match denied {
        Denied::Unauthenticated => ErrorKind::Unauthenticated,
        Denied::Forbidden => ErrorKind::Denied,
        Denied::Later => ErrorKind::Unavailable,
    };
    ApiError::new(kind, denied.to_string())
}
