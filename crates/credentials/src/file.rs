//! Reading and writing the file, a line at a time.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::Secret;

/// Larger files are somebody's mistake.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path}, line {line}: {reason}")]
    Invalid { path: PathBuf, line: usize, reason: &'static str },
    #[error("url: must be http:// or https:// and a host, without spaces or quotes, at most 2,048 bytes")]
    Url,
    #[error("neither XDG_CONFIG_HOME nor HOME is set: there is no place for credentials")]
    NoPlace,
    #[error("key: must be printable ASCII without spaces or quotes, at most 1,024 bytes")]
    Key,
}

/// The file's content. Changes are in memory until [`Credentials::save`].
#[derive(Clone, Default)]
pub struct Credentials {
    lines: Vec<Line>,
}

#[derive(Clone)]
enum Line {
    /// A comment, a blank line, or something of a later version.
    Other(String),
    Default(String),
    KeysHeader,
    Key(String, Secret),
}

/// Where the file lies, by the environment handed in.
pub fn default_path(env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // The rule of XDG: a path that is not absolute counts as not set.
    let config = set("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let config = config.or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(config.join("corral").join("credentials"))
}

/// Writes down a server's key in the user's file, beside the others; returns where that is.
pub fn remember(env: impl Fn(&str) -> Option<OsString>, url: &str, key: &Secret) -> Result<PathBuf, CredentialsError> {
    let path = default_path(env).ok_or(CredentialsError::NoPlace)?;
    Credentials::change(&path, |credentials| credentials.set(url, key.clone()))?;
    Ok(path)
}

/// One spelling a server: scheme and host in lower case, no slash at the end.
pub fn normal_url(url: &str) -> Result<String, CredentialsError> {
    let (scheme, rest) = url.trim().split_once("://").ok_or(CredentialsError::Url)?;
    let scheme = scheme.to_ascii_lowercase();
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let clean = rest.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b'?' | b'#' | b'@'));
    if !matches!(&scheme[..], "http" | "https") || host.is_empty() || !clean || url.len() > 2_048 {
        return Err(CredentialsError::Url);
    }
    Ok(format!("{scheme}://{}{}", host.to_ascii_lowercase(), path.trim_end_matches('/')))
}

impl Credentials {
    /// Reads the file; one that is not there is empty.
    pub fn load(path: &Path) -> Result<Self, CredentialsError> {
        let io = |source| CredentialsError::Io { path: path.to_owned(), source };
        let invalid = |line, reason| CredentialsError::Invalid { path: path.to_owned(), line, reason };
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(io(error)),
            Ok(file) if file.len() > FILE_BYTES_MAX => return Err(invalid(0, "the file is larger than 1 MiB")),
            Ok(_) => {}
        }
        let text = fs::read_to_string(path).map_err(io)?;
        let (mut lines, mut section) = (Vec::new(), String::new());
        for (at, line) in text.lines().enumerate() {
            lines.push(parse(line, &mut section).map_err(|reason| invalid(at + 1, reason))?);
        }
        Ok(Self { lines })
    }

    /// The server that is meant when none is named.
    pub fn default_url(&self) -> Option<&str> {
        self.lines.iter().find_map(|line| match line {
            Line::Default(url) => Some(&url[..]),
            _ => None,
        })
    }

    /// The key of a server, whichever way its URL is spelled.
    pub fn key(&self, url: &str) -> Option<&Secret> {
        let url = normal_url(url).ok()?;
        // The last one wins, as it would for whoever appends to the file by hand.
        self.lines.iter().rev().find_map(|line| match line {
            Line::Key(of, key) if normal_url(of).is_ok_and(|of| of == url) => Some(key),
            _ => None,
        })
    }

    /// Sets a server's key; it becomes the default if there is none.
    pub fn set(&mut self, url: &str, key: Secret) -> Result<(), CredentialsError> {
        let url = normal_url(url)?;
        let text = key.expose();
        let clean = text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'));
        if text.is_empty() || text.len() > 1_024 || !clean {
            return Err(CredentialsError::Key);
        }
        self.lines.retain(|line| !matches!(line, Line::Key(of, _) if normal_url(of).is_ok_and(|of| of == url)));
        if self.default_url().is_none() {
            self.set_default(&url)?;
        }
        let header = self.lines.iter().position(|line| matches!(line, Line::KeysHeader)).unwrap_or_else(|| {
            self.lines.extend([Line::Other(String::new()), Line::KeysHeader]);
            self.lines.len() - 1
        });
        self.lines.insert(header + 1, Line::Key(url, key));
        Ok(())
    }

    pub fn set_default(&mut self, url: &str) -> Result<(), CredentialsError> {
        let url = normal_url(url)?;
        self.lines.retain(|line| !matches!(line, Line::Default(_)));
        // Above the first section, or it would belong to that.
        let section = |line: &Line| match line {
            Line::KeysHeader => true,
            Line::Other(text) => text.trim_start().starts_with('['),
            _ => false,
        };
        let at = self.lines.iter().position(section).unwrap_or(self.lines.len());
        self.lines.insert(at, Line::Default(url));
        Ok(())
    }

    /// Replaces the file as a whole, readable by its owner only.
    pub fn save(&self, path: &Path) -> Result<(), CredentialsError> {
        write_private(path, &self.to_text()).map_err(|source| CredentialsError::Io { path: path.to_owned(), source })
    }

    /// Loads, changes and saves under a lock, so that two programs that do so at once both keep their entry.
    pub fn change(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<(), CredentialsError>,
    ) -> Result<(), CredentialsError> {
        let dir = parent(path);
        let io = |source| CredentialsError::Io { path: dir.to_owned(), source };
        make_dir(dir).map_err(io)?;
        let lock = File::open(dir).map_err(io)?;
        lock.lock().map_err(io)?;
        let mut credentials = Self::load(path)?;
        change(&mut credentials)?;
        credentials.save(path)
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        if self.lines.is_empty() || !matches!(&self.lines[0], Line::Other(first) if first.starts_with('#')) {
            text.push_str("# Corral: the key of each server. Keep this file to yourself.\n");
        }
        for line in &self.lines {
            let line = match line {
                Line::Other(line) => line.clone(),
                Line::Default(url) => format!("default = \"{url}\""),
                Line::KeysHeader => "[keys]".to_owned(),
                Line::Key(url, key) => format!("\"{url}\" = \"{}\"", key.expose()),
            };
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

fn parse(line: &str, section: &mut String) -> Result<Line, &'static str> {
    let trimmed = line.trim();
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return Ok(Line::Other(line.to_owned()));
    }
    if let Some(name) = trimmed.strip_prefix('[') {
        *section = name.strip_suffix(']').ok_or("a section must end in ]")?.to_owned();
        return Ok(if section == "keys" { Line::KeysHeader } else { Line::Other(line.to_owned()) });
    }
    match &section[..] {
        "" => match trimmed.split_once('=') {
            Some((name, value)) if name.trim() == "default" => Ok(Line::Default(quoted(value)?.0.to_owned())),
            Some(_) => Ok(Line::Other(line.to_owned())),
            None => Err("must be name = \"value\""),
        },
        "keys" => {
            let (url, rest) = quoted(trimmed)?;
            let value = rest.trim_start().strip_prefix('=').ok_or("must be \"url\" = \"key\"")?;
            Ok(Line::Key(url.to_owned(), Secret::new(quoted(value)?.0)))
        }
        _ => Ok(Line::Other(line.to_owned())),
    }
}

/// A text in double quotes, and what follows it.
fn quoted(text: &str) -> Result<(&str, &str), &'static str> {
    let text = text.trim_start().strip_prefix('"').ok_or("must be in double quotes")?;
    let (inner, rest) = text.split_once('"').ok_or("a double quote is missing")?;
    if inner.contains('\\') { Err("must not hold a backslash") } else { Ok((inner, rest)) }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn make_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let dir = parent(path);
    make_dir(dir)?;
    let temporary = dir.join(format!(".credentials.{}", std::process::id()));
    // A leftover of a process of the same number; the new file is made, never followed through a link.
    let _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests;
