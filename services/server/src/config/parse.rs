//! From a setting's text to its value: what each must be, said in its error.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use corral_access::HostRules;

use super::{Chosen, LogLevel, Network};

/// What a process may do; embedded storage has them all in one.
const ROLES: [&str; 7] = ["ingest", "command", "projector", "query", "web", "archiver", "automation"];
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

pub(super) fn roles(text: &str) -> Result<(), String> {
    let names: Vec<&str> = text.split(',').map(str::trim).collect();
    if let Some(unknown) = names.iter().find(|name| **name != "all" && !ROLES.contains(name)) {
        return Err(format!("`{}` must be all, or some of {}", unknown.escape_debug(), ROLES.join(", ")));
    }
    if names.contains(&"all") || ROLES.iter().all(|role| names.contains(role)) {
        return Ok(());
    }
    Err("the event log and the read store are embedded, which one process owns: it must have every role (`all`)"
        .to_owned())
}
