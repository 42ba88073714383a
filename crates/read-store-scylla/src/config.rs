//! How to reach the cluster, typed; what is wrong with it names the setting.

use std::fmt;
use std::path::PathBuf;

use corral_read_store::StoreError;

use crate::statements::Keyspace;

/// Where the cluster is and who we are there.
#[derive(Clone, Debug)]
pub struct Config {
    /// `host:port` each; one that answers is enough, the others are found.
    pub nodes: Vec<String>,
    pub keyspace: String,
    /// The data centre whose quorum counts and whose nodes are asked; `None`: the whole cluster's.
    pub datacenter: Option<String>,
    pub login: Option<Login>,
    pub tls: Option<Tls>,
}

/// Password authentication.
#[derive(Clone)]
pub struct Login {
    pub user: String,
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// TLS 1.2 or 1.3. A node's certificate must name its IP address and be signed by the authority.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// PEM of the authorities that we trust; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// PEM of our own certificate chain and its key, where the cluster asks for one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// How often each row is stored, for a keyspace that is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replication {
    /// So many times in each data centre.
    Everywhere(u8),
    /// (data centre, so many times).
    Datacenters(Vec<(String, u8)>),
}

impl Replication {
    /// Names of data centres become part of a text, so they must be plain.
    pub(crate) fn check(&self) -> Result<(), ConnectError> {
        let invalid = |reason: String| Err(ConnectError::Invalid { setting: "replication", reason });
        let factors: Vec<u8> = match self {
            Self::Everywhere(factor) => vec![*factor],
            Self::Datacenters(all) => {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
                if let Some((name, _)) = all.iter().find(|(name, _)| name.is_empty() || !name.bytes().all(plain)) {
                    return invalid(format!("`{name}` is not a data centre's name of [A-Za-z0-9_.-]"));
                }
                all.iter().map(|(_, factor)| *factor).collect()
            }
        };
        match factors.is_empty() || factors.contains(&0) {
            true => invalid("stores a row no time at all".to_owned()),
            false => Ok(()),
        }
    }

    pub(crate) fn to_cql(&self) -> String {
        let factors = match self {
            Self::Everywhere(factor) => format!("'replication_factor': {factor}"),
            Self::Datacenters(all) => {
                all.iter().map(|(name, factor)| format!("'{name}': {factor}")).collect::<Vec<_>>().join(", ")
            }
        };
        format!("{{'class': 'NetworkTopologyStrategy', {factors}}}")
    }
}

/// Why there is no connection; each names the setting to look at.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("{setting}: {reason}")]
    Invalid { setting: &'static str, reason: String },
    #[error("nodes: none of {nodes} answers: {reason}")]
    Unreachable { nodes: String, reason: String },
    #[error("user, password: the cluster refuses `{user}`: {reason}")]
    Refused { user: String, reason: String },
    #[error("user, password: the cluster asks for a login and none is set")]
    NoLogin,
    #[error("tls.ca: the certificate of the nodes is not trusted: {reason}")]
    Untrusted { reason: String },
    #[error("tls: {reason}")]
    Tls { reason: String },
}

impl ConnectError {
    /// Whether the same settings may work later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

impl From<ConnectError> for StoreError {
    fn from(error: ConnectError) -> Self {
        if error.is_retryable() { Self::Unavailable(error.to_string()) } else { Self::Invalid(error.to_string()) }
    }
}

impl Config {
    /// Checks what can be checked without a cluster.
    pub(crate) fn check(&self) -> Result<Keyspace, ConnectError> {
        let invalid = |setting, reason: &str| Err(ConnectError::Invalid { setting, reason: reason.to_owned() });
        if self.nodes.is_empty() {
            return invalid("nodes", "names no node");
        }
        for node in &self.nodes {
            let port = node.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
            if !port.is_some_and(|(host, port)| !host.is_empty() && port > 0) {
                return Err(ConnectError::Invalid { setting: "nodes", reason: format!("`{node}` is not host:port") });
            }
        }
        if self.datacenter.as_ref().is_some_and(String::is_empty) {
            return invalid("datacenter", "is empty");
        }
        if self.login.as_ref().is_some_and(|login| login.user.is_empty()) {
            return invalid("user", "is empty");
        }
        Keyspace::new(&self.keyspace).map_err(|reason| ConnectError::Invalid { setting: "keyspace", reason })
    }
}

#[cfg(test)]
mod tests;
