//! Where the event log and the read store are: embedded, in the data directory, or in a cluster, by URL.
//!
//! ```text
//! kafka://HOST:PORT[,HOST:PORT]/TOPIC[?NAME=VALUE[&NAME=VALUE]]
//! cql://HOST:PORT[,HOST:PORT]/KEYSPACE[?NAME=VALUE[&NAME=VALUE]]
//! ```
//!
//! Values stand as they are, without escapes. A password is never a part of a URL: it comes from a file or the environment.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use corral_credentials::Secret;

/// How the embedded ones are said.
pub(super) const EMBEDDED: &str = "embedded";
const NODES_COUNT_MAX: usize = 64;

/// Where a process's ground state and read models are. Both embedded or both in clusters: `corral serve` on an embedded log
/// holds the lock of a directory, which keeps nobody away from a keyspace, and a store in a directory is of no use to the
/// other processes that append to a log on Kafka.
#[derive(Clone)]
pub(crate) enum Places {
    Embedded,
    Cluster(Box<ClusterPlaces>),
}

impl Places {
    pub(crate) fn is_embedded(&self) -> bool {
        matches!(self, Self::Embedded)
    }
}

impl fmt::Debug for Places {
    /// Says no more than that: passwords are among the rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_embedded() { "Embedded" } else { "Cluster" })
    }
}

#[derive(Clone)]
pub(crate) struct ClusterPlaces {
    pub(crate) log: KafkaPlace,
    pub(crate) store: CqlPlace,
}

/// `log = "kafka://…"`.
#[derive(Clone)]
pub(crate) struct KafkaPlace {
    /// `host:port`, by comma.
    pub(crate) brokers: String,
    pub(crate) topic: String,
    pub(crate) partitions: Option<u16>,
    pub(crate) replicas: Option<u16>,
    pub(crate) create_topics: Option<bool>,
    pub(crate) allow_retention: Option<bool>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) login: Option<KafkaLogin>,
}

#[derive(Clone)]
pub(crate) enum KafkaLogin {
    Password { mechanism: Mechanism, user: String, password: Secret },
    Token { file: PathBuf },
}

#[derive(Clone, Copy)]
pub(crate) enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

/// `store = "cql://…"`.
#[derive(Clone)]
pub(crate) struct CqlPlace {
    pub(crate) nodes: Vec<String>,
    pub(crate) keyspace: String,
    /// Of the vault, which is ground state: apart, so that a read store can be dropped whole.
    pub(crate) vault: String,
    pub(crate) datacenter: Option<String>,
    pub(crate) replication: Option<Copies>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) login: Option<(String, Secret)>,
}

/// How often a new keyspace keeps each row.
#[derive(Clone)]
pub(crate) enum Copies {
    Everywhere(u8),
    Datacenters(Vec<(String, u8)>),
}

#[derive(Clone)]
pub(crate) struct TlsFiles {
    pub(crate) ca: Option<PathBuf>,
    /// Certificate and key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

/// A URL, taken apart.
struct Url {
    hosts: Vec<String>,
    name: String,
    parameters: BTreeMap<String, String>,
}

impl Url {
    fn parse(text: &str, scheme: &str, name: &str) -> Result<Self, String> {
        let shape = || format!("must be {EMBEDDED}, or {scheme}://HOST:PORT[,HOST:PORT]/{name}[?NAME=VALUE&…]");
        let rest = text.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://")).ok_or_else(shape)?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, found) = place.split_once('/').ok_or_else(shape)?;
        if place.contains('@') {
            return Err(
                "has a login in it: the user is the parameter `user`, the password comes from a file".to_owned()
            );
        }
        let hosts: Vec<String> = hosts.split(',').map(str::to_owned).collect();
        if found.is_empty() || hosts.len() > NODES_COUNT_MAX {
            return Err(format!("{}, {NODES_COUNT_MAX} hosts at most", shape()));
        }
        let is_host = |host: &&String| {
            let parts = host.rsplit_once(':').and_then(|(name, port)| Some((name, port.parse::<u16>().ok()?)));
            parts.is_some_and(|(name, port)| !name.is_empty() && port > 0)
        };
        if let Some(wrong) = hosts.iter().find(|host| !is_host(host)) {
            return Err(format!("`{}` is not HOST:PORT", wrong.escape_debug()));
        }
        let mut parameters = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) =
                pair.split_once('=').ok_or_else(|| format!("`{}` is not NAME=VALUE", pair.escape_debug()))?;
            if parameters.insert(name.to_owned(), value.to_owned()).is_some() {
                return Err(format!("`{}` is there twice", name.escape_debug()));
            }
        }
        Ok(Self { hosts, name: found.to_owned(), parameters })
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.parameters.remove(name)
    }

    fn number<T: std::str::FromStr>(&mut self, name: &str) -> Result<Option<T>, String> {
        let text = self.text(name);
        let parsed =
            text.map(|text| text.parse().map_err(|_| format!("{name}: `{}` is no number", text.escape_debug())));
        parsed.transpose()
    }

    fn flag(&mut self, name: &str) -> Result<Option<bool>, String> {
        match self.text(name).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(format!("{name}: `{}` must be true or false", other.escape_debug())),
        }
    }

    /// `tls=true`, or a file that only TLS needs.
    fn tls(&mut self) -> Result<Option<TlsFiles>, String> {
        let on = self.flag("tls")?;
        let mut file = |name: &str| self.text(name).map(PathBuf::from);
        let (ca, certificate, key) = (file("ca"), file("certificate"), file("key"));
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err("certificate and key: one needs the other".to_owned()),
        };
        let named = ca.is_some() || identity.is_some();
        match on {
            Some(false) if named => Err("tls: is false, but there are files for it".to_owned()),
            Some(true) => Ok(Some(TlsFiles { ca, identity })),
            _ => Ok(named.then_some(TlsFiles { ca, identity })),
        }
    }

    /// Refuses what nobody has asked for.
    fn end(self, known: &str) -> Result<(), String> {
        match self.parameters.keys().next() {
            Some(unknown) => Err(format!("`{}` is no parameter: there are {known}", unknown.escape_debug())),
            None => Ok(()),
        }
    }
}

/// A user needs a password, and a password a user.
fn login(user: Option<String>, password: Option<Secret>, what: &str) -> Result<Option<(String, Secret)>, String> {
    match (user, password) {
        (Some(user), Some(password)) if !user.is_empty() => Ok(Some((user, password))),
        (Some(_), _) => Err(format!("user: needs a name, and its password in {what}_password_file")),
        (None, Some(_)) => Err(format!("there is a password for it, but no parameter `user` ({what}_password_file)")),
        (None, None) => Ok(None),
    }
}

/// `None`: embedded.
pub(super) fn log(text: &str, password: Option<Secret>) -> Result<Option<KafkaPlace>, String> {
    if text == EMBEDDED {
        return Ok(None);
    }
    let mut url = Url::parse(text, "kafka", "TOPIC")?;
    let place = KafkaPlace {
        brokers: url.hosts.join(","),
        topic: url.name.clone(),
        partitions: url.number("partitions")?,
        replicas: url.number("replicas")?,
        create_topics: url.flag("create_topics")?,
        allow_retention: url.flag("allow_retention")?,
        tls: url.tls()?,
        login: kafka_login(&mut url, password)?,
    };
    url.end(
        "partitions, replicas, create_topics, allow_retention, tls, ca, certificate, key, sasl, user and token_file",
    )?;
    Ok(Some(place))
}

fn kafka_login(url: &mut Url, password: Option<Secret>) -> Result<Option<KafkaLogin>, String> {
    let (sasl, token, user) = (url.text("sasl"), url.text("token_file"), url.text("user"));
    let mechanism = match sasl.as_deref() {
        None | Some("oauthbearer") => None,
        Some("plain") => Some(Mechanism::Plain),
        Some("scram-sha-256") => Some(Mechanism::ScramSha256),
        Some("scram-sha-512") => Some(Mechanism::ScramSha512),
        Some(other) => {
            let names = "plain, scram-sha-256, scram-sha-512 or oauthbearer";
            return Err(format!("sasl: `{}` must be {names}", other.escape_debug()));
        }
    };
    match (mechanism, sasl, token) {
        (Some(mechanism), _, None) => match login(user, password, "log")? {
            Some((user, password)) => Ok(Some(KafkaLogin::Password { mechanism, user, password })),
            None => Err("sasl: needs the parameter `user`, and its password in log_password_file".to_owned()),
        },
        (None, Some(_), Some(file)) if user.is_none() && password.is_none() => {
            Ok(Some(KafkaLogin::Token { file: file.into() }))
        }
        (None, Some(_), _) => Err("sasl: oauthbearer needs `token_file`, and neither user nor password".to_owned()),
        (None, None, None) if user.is_none() && password.is_none() => Ok(None),
        (None, None, _) => Err("sasl: is not set, but there is a login for it".to_owned()),
        (Some(_), _, Some(_)) => Err("token_file: is for sasl=oauthbearer".to_owned()),
    }
}

/// `None`: embedded.
pub(super) fn store(text: &str, password: Option<Secret>) -> Result<Option<CqlPlace>, String> {
    if text == EMBEDDED {
        return Ok(None);
    }
    let mut url = Url::parse(text, "cql", "KEYSPACE")?;
    let vault = url.text("vault").unwrap_or_else(|| format!("{}_vault", url.name));
    if vault == url.name {
        return Err("vault: must be a keyspace of its own".to_owned());
    }
    let place = CqlPlace {
        nodes: url.hosts.clone(),
        keyspace: url.name.clone(),
        vault,
        datacenter: url.text("datacenter"),
        replication: url.text("replication").map(|text| copies(&text)).transpose()?,
        tls: url.tls()?,
        login: login(url.text("user"), password, "store")?,
    };
    url.end("datacenter, replication, vault, tls, ca, certificate, key and user")?;
    Ok(Some(place))
}

/// `3`, or `dc1:3,dc2:2`.
fn copies(text: &str) -> Result<Copies, String> {
    let wrong = || format!("replication: `{}` must be COUNT, or DATACENTER:COUNT by comma", text.escape_debug());
    let count = |text: &str| text.parse::<u8>().ok().filter(|count| *count > 0).ok_or_else(wrong);
    if !text.contains(':') {
        return Ok(Copies::Everywhere(count(text)?));
    }
    let each = text.split(',').map(|part| {
        let (name, copies) = part.split_once(':').ok_or_else(wrong)?;
        Ok((name.to_owned(), count(copies)?))
    });
    Ok(Copies::Datacenters(each.collect::<Result<_, String>>()?))
}
