//! Where the archive of the event log is kept, and what the log may forget once it is in there.

use super::parse::Check;
use super::{Role, Roles};

const HOUR_US: i64 = 3_600 * 1_000_000;
/// A hundred years.
const KEEP_HOURS_MAX: i64 = 100 * 366 * 24;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Archiving {
    /// The blob store, as a URL or a directory; the archive is below `archive/` in it.
    pub(crate) blobs: Option<String>,
    /// The log keeps what was appended in this time; `None`: everything.
    pub(crate) keep_us: Option<i64>,
}

impl Check<'_> {
    pub(super) fn archiving(&mut self, roles: Option<&Roles>) -> Archiving {
        let blobs = self.optional("blobs", blobs);
        let keep_us = self.optional("log_keep_hours", keep_us);
        if !self.chosen.contains_key("blobs") {
            if let Some(keep) = self.chosen.get("log_keep_hours") {
                let why = "what the log forgets would be lost: say by blobs where it is archived";
                self.wrong.push(format!("log_keep_hours (from {}): {why}", keep.origin));
            }
            let archives = |roles: &&Roles| roles.has(Role::Archiver) && !roles.is_all();
            if let (Some(_), Some(roles)) = (roles.filter(archives), self.chosen.get("roles")) {
                let why = "the archiver needs a place: say it by blobs";
                self.wrong.push(format!("roles (from {}): {why}", roles.origin));
            }
        }
        Archiving { blobs, keep_us }
    }
}

fn blobs(text: &str) -> Result<String, String> {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        Some("file" | "s3" | "gs" | "az") => Ok(text.to_owned()),
        None if text.starts_with('/') => Ok(text.to_owned()),
        _ => Err(format!(
            "`{}` must be an absolute path, or a URL of file, s3, gs or az, e.g. s3://bucket/prefix",
            text.escape_debug()
        )),
    }
}

fn keep_us(text: &str) -> Result<i64, String> {
    let hours = text.parse::<i64>().ok().filter(|hours| (1..=KEEP_HOURS_MAX).contains(hours));
    let hours = hours.ok_or_else(|| format!("`{}` must be 1 to {KEEP_HOURS_MAX} hours", text.escape_debug()))?;
    Ok(hours * HOUR_US)
}
