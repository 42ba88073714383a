//! Host and Origin: which names a browser may reach the server under, so that no other web page reads a laptop's runs.
//!
//! Allowed are `localhost`, 127.0.0.0/8 and `[::1]` with any port (so that `ssh -L` works), and the public URL's host and
//! port. Names are parsed and compared whole: what merely begins or ends like an allowed one is another host. An `Origin`
//! must be the very host and port of the request, or the public URL's. Kubernetes' probes (`/livez`, `/readyz`) and gRPC
//! calls with a key are exempt; the caller of these rules says so.

use std::net::{Ipv4Addr, Ipv6Addr};

use corral_credentials::normal_url;

/// The rules of one server.
#[derive(Clone, Debug, Default)]
pub struct HostRules {
    public: Option<Public>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Public {
    scheme: Scheme,
    authority: Authority,
    path: String,
}

/// What the request says, as its headers stand; `None` where one is missing. More than one `Host` or `Origin` is refused
/// before.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestOrigin<'a> {
    /// `Host`, or `:authority`.
    pub host: Option<&'a str>,
    pub origin: Option<&'a str>,
    /// `Sec-Fetch-Site`.
    pub fetch_site: Option<&'a str>,
    /// Whether the request can change anything or opens a WebSocket: all but GET, HEAD and OPTIONS without an upgrade.
    pub changes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostDenied {
    /// 421: this server is not known under that name.
    #[error("host: must be localhost, a loopback address or the host of --public-url")]
    Host,
    /// 403: another page asked.
    #[error("origin: must be the page of this server")]
    Origin,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("public_url: {0}")]
pub struct PublicUrlError(&'static str);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Authority {
    host: Host,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    /// In lower case.
    Name(String),
}

impl HostRules {
    /// `--public-url`, where it is given: scheme, host, perhaps a port and a path.
    pub fn new(public_url: Option<&str>) -> Result<Self, PublicUrlError> {
        let Some(url) = public_url else { return Ok(Self::default()) };
        let url = normal_url(url).map_err(|_| PublicUrlError("must be http:// or https:// and a host"))?;
        let (scheme, rest) = scheme(&url).ok_or(PublicUrlError("must begin with http:// or https://"))?;
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let authority = Authority::parse(authority).ok_or(PublicUrlError("must have a host, and perhaps a port"))?;
        Ok(Self { public: Some(Public { scheme, authority, path: path.to_owned() }) })
    }

    /// The path of the public URL, without a slash at the end; empty where there is none.
    pub fn public_path(&self) -> &str {
        self.public.as_ref().map_or("", |public| &public.path)
    }

    /// The port of the public URL: what a browser knows all processes behind it by.
    pub fn public_port(&self) -> Option<u16> {
        self.public.as_ref().map(|public| public.scheme.port(public.authority.port))
    }

    /// Whether the browser's side is https, so that cookies are `Secure`.
    pub fn is_https(&self) -> bool {
        self.public.as_ref().is_some_and(|public| public.scheme == Scheme::Https)
    }

    /// The rule, for every route that is not exempt.
    pub fn check(&self, request: RequestOrigin<'_>) -> Result<(), HostDenied> {
        let host = request.host.and_then(Authority::parse).ok_or(HostDenied::Host)?;
        if !host.is_loopback() && !self.is_public(&host, None) {
            return Err(HostDenied::Host);
        }
        if let Some(origin) = request.origin {
            let (scheme, rest) = scheme(origin).ok_or(HostDenied::Origin)?;
            let origin = Authority::parse(rest).ok_or(HostDenied::Origin)?;
            let same = origin.host == host.host && scheme.port(origin.port) == scheme.port(host.port);
            if !same && !self.is_public(&origin, Some(scheme)) {
                return Err(HostDenied::Origin);
            }
        } else if request.changes && !matches!(request.fetch_site, None | Some("same-origin" | "none")) {
            // A browser that sends no Origin still says that another page asked; programs say nothing.
            return Err(HostDenied::Origin);
        }
        Ok(())
    }

    fn is_public(&self, authority: &Authority, scheme: Option<Scheme>) -> bool {
        self.public.as_ref().is_some_and(|public| {
            public.authority.host == authority.host
                && scheme.is_none_or(|scheme| scheme == public.scheme)
                && public.scheme.port(public.authority.port) == public.scheme.port(authority.port)
        })
    }
}

impl Scheme {
    fn port(self, port: Option<u16>) -> u16 {
        port.unwrap_or(match self {
            Self::Http => 80,
            Self::Https => 443,
        })
    }
}

/// An origin's or URL's scheme, and what follows `://`. `null`, and every other scheme, is nobody.
fn scheme(text: &str) -> Option<(Scheme, &str)> {
    let http = text.strip_prefix("http://").map(|rest| (Scheme::Http, rest));
    http.or_else(|| text.strip_prefix("https://").map(|rest| (Scheme::Https, rest)))
}

impl Authority {
    /// `host[:port]`, strictly: no user, no dot at the end, no other spelling of an address.
    fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                (Host::V6(address.parse().ok()?), port)
            }
            None => {
                let (name, port) = text.find(':').map_or((text, ""), |at| text.split_at(at));
                (Host::name(name)?, port)
            }
        };
        let port = match port.strip_prefix(':') {
            Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            Some(_) => return None,
            None if port.is_empty() => None,
            None => return None,
        };
        Some(Self { host, port })
    }

    fn is_loopback(&self) -> bool {
        match &self.host {
            Host::V4(address) => address.is_loopback(),
            Host::V6(address) => *address == Ipv6Addr::LOCALHOST,
            Host::Name(name) => name == "localhost",
        }
    }
}

impl Host {
    fn name(text: &str) -> Option<Self> {
        let label = |label: &str| {
            let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
            !label.is_empty() && label.len() <= 63 && inner
        };
        if text.len() > 253 || !text.split('.').all(label) {
            return None;
        }
        Some(match text.parse::<Ipv4Addr>() {
            Ok(address) => Self::V4(address),
            Err(_) => Self::Name(text.to_ascii_lowercase()),
        })
    }
}

#[cfg(test)]
mod tests;
