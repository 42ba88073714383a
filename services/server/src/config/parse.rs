//! From a setting's text to its value: what each must be, said in its error.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use corral_access::HostRules;

use super::place::{ClusterPlaces, CqlPlace, KafkaPlace, Places};
use super::{Chosen, LogLevel, Network, Roles};

const PROXIES_COUNT_MAX: usize = 64;

/// Checks setting after setting and gathers what is wrong.
pub(super) struct Check<'a> {
    pub(super) chosen: &'a BTreeMap<&'static str, Chosen>,
    pub(super) wrong: &'a mut Vec<String>,
}

impl Check<'_> {
    pub(super) fn optional<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let Chosen { text, origin } = self.chosen.get(name)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(why) => {
                self.wrong.push(format!("{name} (from {origin}): {why}"));
                None
            }
        }
    }

    pub(super) fn required<T>(
        &mut self,
        name: &str,
        how: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        if !self.chosen.contains_key(name) {
            self.wrong.push(format!("{name}: is not known: {how}"));
        }
        self.optional(name, parse)
    }
}

impl Check<'_> {
    /// Log and store, as one: both embedded, in a process with every role, or both in clusters.
    pub(super) fn places(
        &mut self,
        (log, store): (Option<KafkaPlace>, Option<CqlPlace>),
        roles: Option<&Roles>,
    ) -> Option<Places> {
        let origin = |name: &str| self.chosen.get(name).map(|chosen| chosen.origin.to_string()).unwrap_or_default();
        let why = match (log, store) {
            (Some(log), Some(store)) => return Some(Places::Cluster(Box::new(ClusterPlaces { log, store }))),
            (None, None) if roles.is_none_or(Roles::is_all) => return Some(Places::Embedded),
            (None, None) => format!(
                "roles (from {}): the event log and the read store are embedded, which one process owns: it must have \
                 every role (`all`)",
                origin("roles")
            ),
            (Some(_), None) => format!(
                "store (from {}): is embedded, but the log is on Kafka: other processes would not see what this one \
                 projects; give cql://… too",
                origin("store")
            ),
            (None, Some(_)) => format!(
                "log (from {}): is embedded, but the store is in a cluster: the lock of a data directory keeps no other \
                 log away from its keyspace; give kafka://… too",
                origin("log")
            ),
        };
        self.wrong.push(why);
        None
    }
}

/// A text, or a list of texts as one with commas.
pub(super) fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Array(values) => {
            let texts: Option<Vec<&str>> = values.iter().map(|value| value.as_str()).collect();
            Some(texts?.join(","))
        }
        _ => None,
    }
}

pub(super) fn data_dir(text: &str) -> Result<PathBuf, String> {
    std::path::absolute(text).map_err(|_| "must be a directory's path".to_owned())
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    std::path::absolute(text).map_err(|_| "must be a file's path".to_owned())
}

pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{}` must be ADDRESS:PORT, e.g. 127.0.0.1:4870 or [::1]:0", text.escape_debug()))
}

pub(super) fn public_url(text: &str) -> Result<(String, HostRules), String> {
    let rules = HostRules::new(Some(text)).map_err(|error| {
        let why = error.to_string();
        why.strip_prefix("public_url: ").unwrap_or(&why).to_owned()
    })?;
    let url = corral_credentials::normal_url(text).map_err(|error| error.to_string())?;
    Ok((url, rules))
}

pub(super) fn networks(text: &str) -> Result<Vec<Network>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let networks = parts.map(|part| {
        Network::parse(part)
            .ok_or_else(|| format!("`{}` must be an address or a network, e.g. 10.0.0.0/8 or ::1", part.escape_debug()))
    });
    let networks: Vec<Network> = networks.collect::<Result<_, _>>()?;
    match networks.len() > PROXIES_COUNT_MAX {
        true => Err(format!("{} are too many, {PROXIES_COUNT_MAX} at most", networks.len())),
        false => Ok(networks),
    }
}

pub(super) fn log_level(text: &str) -> Result<LogLevel, String> {
    let levels = [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];
    let found = levels.into_iter().find(|level| level.name() == text);
    found.ok_or_else(|| format!("`{}` must be error, warn, info, debug or trace", text.escape_debug()))
}
