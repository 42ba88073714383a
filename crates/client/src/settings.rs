//! What a client is told: which server, with which key, where its spool lies.

use std::ffi::OsString;
use std::path::PathBuf;

use corral_credentials::{Credentials, Secret, default_path, normal_url};

/// Where the server listens unless told otherwise.
const URL_DEFAULT: &str = "http://127.0.0.1:4870";

#[derive(Clone)]
pub struct Settings {
    pub url: String,
    /// `None`: looked up in the credentials file at each connection, so that a key that is entered there helps a run that waits.
    pub key: Option<Secret>,
    /// PEM certificates of the authorities that an https server may be vouched for by; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// The directory that holds `spool` and `offline`.
    pub dir: PathBuf,
    /// Files that nothing sends by itself.
    pub offline: bool,
    /// How the client names itself, e.g. `corral-python/0.1.0`.
    pub name: String,
}

/// `${CORRAL_DIR}`, else `${XDG_STATE_HOME:-~/.local/state}/corral`.
pub fn default_dir(env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(dir) = set("CORRAL_DIR") {
        return std::path::absolute(dir).ok();
    }
    let state = set("XDG_STATE_HOME").filter(|path| path.is_absolute());
    Some(state.or_else(|| set("HOME").map(|home| home.join(".local/state")))?.join("corral"))
}

/// The URL as the credentials file and the spool spell it: `CORRAL_URL`, else the file's default, else loopback.
fn default_url(env: impl Fn(&str) -> Option<OsString>) -> String {
    let given = env("CORRAL_URL").and_then(|url| url.into_string().ok()).filter(|url| !url.is_empty());
    let stored = || Some(Credentials::load(&default_path(&env)?).ok()?.default_url()?.to_owned());
    let url = given.or_else(stored).unwrap_or_else(|| URL_DEFAULT.to_owned());
    normal_url(&url).unwrap_or(url)
}

/// The key that the credentials file has for a server.
pub fn credentials_key(url: &str) -> Option<Secret> {
    let path = default_path(|name| std::env::var_os(name))?;
    Credentials::load(&path).ok()?.key(url).cloned()
}

impl Settings {
    /// What the environment says: `CORRAL_URL`, `CORRAL_API_KEY`, `CORRAL_CA_FILE`, `CORRAL_DIR`.
    pub fn from_env(name: &str) -> Self {
        let env = |name: &str| std::env::var_os(name);
        let key = env("CORRAL_API_KEY").and_then(|key| key.into_string().ok()).filter(|key| !key.trim().is_empty());
        Self {
            url: default_url(env),
            key: key.map(|key| Secret::new(key.trim())),
            ca_file: env("CORRAL_CA_FILE").filter(|path| !path.is_empty()).map(PathBuf::from),
            dir: default_dir(env).unwrap_or_else(|| PathBuf::from(".corral")),
            offline: false,
            name: name.to_owned(),
        }
    }

    pub fn set_url(&mut self, url: &str) {
        self.url = normal_url(url).unwrap_or_else(|_| url.to_owned());
    }

    pub fn set_key(&mut self, key: &str) {
        self.key = Some(Secret::new(key.trim()));
    }

    pub(crate) fn key_now(&self) -> Option<Secret> {
        self.key.clone().or_else(|| credentials_key(&self.url))
    }
}
