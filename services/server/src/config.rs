//! What a server is told: file, environment, flags, in that order of precedence (a later one wins), validated as a whole.
//!
//! Each value keeps where it came from, so that an error, and `--print-config`, can say it. There are no secrets among
//! them: a password comes from a file that is named, or from a variable of its own, which is never printed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use corral_access::HostRules;
use corral_credentials::Secret;

mod archiving;
mod network;
mod parse;
#[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "only a cluster's wiring looks into a place"))]
mod place;
mod role;

pub(crate) use archiving::Archiving;
pub(crate) use network::Network;
pub(crate) use place::{ClusterPlaces, CqlPlace, Places};
#[cfg(feature = "cluster")]
pub(crate) use place::{Copies, KafkaLogin, KafkaPlace, Mechanism, TlsFiles};
pub use role::{Role, Roles};

/// Where the server listens unless told otherwise.
const LISTEN_DEFAULT: &str = "127.0.0.1:4870";

/// Every setting: its name in the file; the flag is `--` and the name with dashes, the variable `CORRAL_` and the name in
/// capitals.
pub(crate) const SETTINGS: [&str; 13] = [
    "data_dir",
    "listen",
    "public_url",
    "trusted_proxies",
    "roles",
    "log",
    "log_password_file",
    "store",
    "store_password_file",
    "blobs",
    "log_keep_hours",
    "bootstrap_key_file",
    "log_level",
];

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    Default,
    File(PathBuf),
    Environment(String),
    Flag(String),
}

/// How much is written to stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// A configuration that was found good.
#[derive(Clone, Debug)]
pub struct Config {
    /// Holds everything that the server writes, save the owner's key.
    pub data_dir: PathBuf,
    pub listen: SocketAddr,
    /// How browsers reach the server, where that is not the address that it listens on.
    pub public_url: Option<String>,
    pub hosts: HostRules,
    /// Peers whose forwarded headers are believed.
    pub(crate) trusted_proxies: Vec<Network>,
    /// What this process does.
    pub roles: Roles,
    pub(crate) places: Places,
    pub(crate) archiving: Archiving,
    /// The owner's key, where there is no owner yet in a cluster's vault.
    pub(crate) bootstrap_key_file: Option<PathBuf>,
    pub log_level: LogLevel,
    /// The file where the first start writes the owner's key, and where commands look for one; `None`: nowhere to write.
    pub credentials: Option<PathBuf>,
    chosen: BTreeMap<&'static str, Chosen>,
}

/// A setting's text and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Chosen {
    text: String,
    origin: Origin,
}

/// All that is wrong, a line each.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// What a configuration is made from.
pub struct Sources<'a> {
    pub env: &'a dyn Fn(&str) -> Option<OsString>,
    /// `--config`, or `CORRAL_CONFIG`: a file that must be there. Without it the usual one is read if it is there.
    pub file: Option<PathBuf>,
    /// By the name of the setting.
    pub flags: BTreeMap<&'static str, String>,
}

impl Config {
    /// Reads, merges and checks everything; an error names each setting that is wrong and where it came from.
    pub fn load(sources: &Sources<'_>) -> Result<Self, ConfigError> {
        let mut wrong = Vec::new();
        let mut chosen = defaults(sources.env);
        match file_path(sources) {
            Ok(Some(path)) => chosen.extend(from_file(&path, &mut wrong)),
            Ok(None) => {}
            Err(error) => wrong.push(error),
        }
        for name in SETTINGS {
            let variable = variable(name);
            match (sources.env)(&variable).filter(|value| !value.is_empty()).map(OsString::into_string) {
                Some(Ok(text)) => {
                    chosen.insert(name, Chosen { text, origin: Origin::Environment(variable) });
                }
                Some(Err(_)) => wrong.push(format!("{name} (from {variable}): must be UTF-8")),
                None => {}
            }
        }
        for (name, text) in &sources.flags {
            chosen.insert(name, Chosen { text: text.clone(), origin: Origin::Flag(flag(name)) });
        }
        Self::check(chosen, sources, wrong)
    }

    fn check(
        chosen: BTreeMap<&'static str, Chosen>,
        sources: &Sources<'_>,
        mut wrong: Vec<String>,
    ) -> Result<Self, ConfigError> {
        let log_password = password("log", (&chosen, sources), &mut wrong);
        let store_password = password("store", (&chosen, sources), &mut wrong);
        let mut check = parse::Check { chosen: &chosen, wrong: &mut wrong };
        let data_dir = check.required("data_dir", "give it, or set HOME", parse::data_dir);
        let listen = check.required("listen", "give it", parse::listen);
        let hosts = check.optional("public_url", parse::public_url);
        let trusted_proxies = check.optional("trusted_proxies", parse::networks).unwrap_or_default();
        let log_level = check.required("log_level", "give it", parse::log_level);
        let roles = check.required("roles", "give it", Roles::parse);
        let log = check.required("log", "give it", |text| place::log(text, log_password.clone()));
        let store = check.required("store", "give it", |text| place::store(text, store_password.clone()));
        let bootstrap_key_file = check.optional("bootstrap_key_file", parse::path);
        let archiving = check.archiving(roles.as_ref());
        let places = log.zip(store).and_then(|both| check.places(both, roles.as_ref()));
        if let (Some(listen), None) = (listen, &hosts)
            && !listen.ip().is_loopback()
            && !chosen.contains_key("public_url")
        {
            let origin = &chosen["listen"].origin;
            wrong.push(format!(
                "listen (from {origin}): {listen} is reachable from other machines: say so by public_url, the URL by \
                 which browsers reach it"
            ));
        }
        let (Some(data_dir), Some(listen), Some(log_level), Some(roles), Some(places), true) =
            (data_dir, listen, log_level, roles, places, wrong.is_empty())
        else {
            return Err(ConfigError(wrong));
        };
        let (public_url, hosts) = hosts.map_or_else(|| (None, HostRules::default()), |(url, hosts)| (Some(url), hosts));
        let credentials = corral_credentials::default_path(sources.env);
        Ok(Self {
            data_dir,
            listen,
            public_url,
            hosts,
            trusted_proxies,
            roles,
            places,
            archiving,
            bootstrap_key_file,
            log_level,
            credentials,
            chosen,
        })
    }

    /// The effective configuration as a file that would give it again, with where each value came from.
    pub fn print(&self) -> String {
        let mut lines = Vec::new();
        for name in SETTINGS {
            lines.push(match self.chosen.get(name) {
                Some(Chosen { text, origin }) => format!("{name} = {}  # {origin}", toml::Value::from(text.as_str())),
                None => format!("# {name} is not set"),
            });
        }
        lines.join("\n")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

impl LogLevel {
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

fn variable(name: &str) -> String {
    format!("CORRAL_{}", name.to_ascii_uppercase())
}

fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

/// A directory of XDG: the variable if it is absolute, else below the home.
fn xdg(env: &dyn Fn(&str) -> Option<OsString>, variable: &str, below_home: &str) -> Option<PathBuf> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let named = set(variable).filter(|path| path.is_absolute());
    Some(named.or_else(|| set("HOME").map(|home| home.join(below_home)))?.join("corral"))
}

fn defaults(env: &dyn Fn(&str) -> Option<OsString>) -> BTreeMap<&'static str, Chosen> {
    let data_dir = xdg(env, "XDG_DATA_HOME", ".local/share").and_then(|path| path.into_os_string().into_string().ok());
    let texts = [
        ("data_dir", data_dir),
        ("listen", Some(LISTEN_DEFAULT.to_owned())),
        ("roles", Some("all".to_owned())),
        ("log", Some(place::EMBEDDED.to_owned())),
        ("store", Some(place::EMBEDDED.to_owned())),
        ("log_level", Some("info".to_owned())),
    ];
    let chosen = |(name, text): (_, Option<String>)| Some((name, Chosen { text: text?, origin: Origin::Default }));
    texts.into_iter().filter_map(chosen).collect()
}

/// The password of the log's or the store's cluster: from a file that is named, or from a variable of its own.
fn password(
    of: &str,
    (chosen, sources): (&BTreeMap<&'static str, Chosen>, &Sources<'_>),
    wrong: &mut Vec<String>,
) -> Option<Secret> {
    let setting = format!("{of}_password_file");
    let variable = variable(&format!("{of}_password"));
    let given = (sources.env)(&variable).filter(|value| !value.is_empty()).map(OsString::into_string);
    let found = match (chosen.get(setting.as_str()), given) {
        (None, None) => return None,
        (Some(_), Some(_)) => Err(format!("{setting}: {variable} is set too; one of them is enough")),
        (None, Some(Ok(text))) => Ok(text),
        (None, Some(Err(_))) => Err(format!("{variable}: must be UTF-8")),
        (Some(Chosen { text, origin }), None) => {
            let read = std::fs::read_to_string(text);
            read.map_err(|error| format!("{setting} (from {origin}): {text}: {error}"))
        }
    };
    match found.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()) {
        Ok(text) if text.is_empty() => wrong.push(format!("{setting}: holds no password")),
        Ok(text) => return Some(Secret::new(text)),
        Err(error) => wrong.push(error),
    }
    None
}

/// The file to read. One that was named must be there.
fn file_path(sources: &Sources<'_>) -> Result<Option<PathBuf>, String> {
    let named = sources.file.clone().or_else(|| {
        let value = (sources.env)("CORRAL_CONFIG").filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    });
    match named {
        Some(path) if path.is_file() => Ok(Some(path)),
        Some(path) => Err(format!("config: there is no file {}", path.display())),
        None => {
            let usual = xdg(sources.env, "XDG_CONFIG_HOME", ".config").map(|dir| dir.join("config.toml"));
            Ok(usual.filter(|path| path.is_file()))
        }
    }
}

fn from_file(path: &Path, wrong: &mut Vec<String>) -> BTreeMap<&'static str, Chosen> {
    let mut chosen = BTreeMap::new();
    let table = std::fs::read_to_string(path).map_err(|error| error.to_string());
    let table = table.and_then(|text| {
        text.parse::<toml::Table>().map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
            format!("line {}: {}", before.matches('\n').count() + 1, error.message())
        })
    });
    let table = match table {
        Ok(table) => table,
        Err(error) => {
            wrong.push(format!("config: {}: {error}", path.display()));
            return chosen;
        }
    };
    for (key, value) in table {
        let Some(name) = SETTINGS.into_iter().find(|name| *name == key) else {
            wrong.push(format!("{key} (from file {}): there is no such setting", path.display()));
            continue;
        };
        match parse::text_of(&value) {
            Some(text) => {
                chosen.insert(name, Chosen { text, origin: Origin::File(path.to_owned()) });
            }
            None => wrong.push(format!("{name} (from file {}): must be a text or a list of texts", path.display())),
        }
    }
    chosen
}

#[cfg(test)]
mod tests;
