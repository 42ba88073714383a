//! The spools that are sent: this process's own, and those of ended processes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use corral_spool::{Spool, has_ended, orphans, sweep};

use super::lane::Lane;
use crate::settings::Settings;
use crate::shared::{NewLane, Shared};

/// Adopted at once: each costs memory for its ring.
const ADOPTED_MAX: usize = 4;

pub(super) struct Sources {
    own: Arc<Spool>,
    adopted: Vec<Arc<Spool>>,
    /// Rings that could not be read: said once, left where they are.
    unreadable: Vec<PathBuf>,
}

impl Sources {
    pub(super) fn new(own: Arc<Spool>) -> Self {
        Self { own, adopted: Vec::new(), unreadable: Vec::new() }
    }

    pub(super) fn own(&self) -> &Arc<Spool> {
        &self.own
    }

    /// Takes over rings of the same host, URL, organization and actor whose processes have ended. A ring that has no
    /// actor yet was never sent to a server; this client's key may send it.
    pub(super) fn adopt(&mut self, settings: &Settings, shared: &Shared) -> Vec<NewLane> {
        let Some(dir) = self.own.path().parent().map(Path::to_owned) else { return Vec::new() };
        let Ok(owner) = self.own.owner() else { return Vec::new() };
        sweep(&dir);
        let mut except = self.unreadable.clone();
        except.push(self.own.path().to_owned());
        except.extend(self.adopted.iter().map(|spool| spool.path().to_owned()));
        let mut lanes = Vec::new();
        for orphan in orphans(&dir, &except) {
            let same = |theirs: &str, ours: &str| theirs.is_empty() || ours.is_empty() || theirs == ours;
            let foreign = orphan.owner.url == settings.url && !same(&orphan.owner.organization, &owner.organization);
            if foreign && has_ended(&orphan.path) {
                warn_of_foreign(&orphan.path, &settings.url, shared);
            }
            let ours = orphan.owner.url == settings.url
                && same(&orphan.owner.actor, &owner.actor)
                && same(&orphan.owner.organization, &owner.organization);
            if !ours || self.adopted.len() >= ADOPTED_MAX {
                continue;
            }
            match Spool::adopt(&orphan.path) {
                Ok(Some(spool)) => {
                    let spool = Arc::new(spool);
                    for writer in spool.writers() {
                        let (spool, writer) = (spool.clone(), writer.index);
                        lanes.push(NewLane { spool, writer, status: Arc::default() });
                    }
                    self.adopted.push(spool);
                }
                Ok(None) => {}
                Err(error) => {
                    let path = orphan.path.display().to_string();
                    shared.warn("unreadable", &path, &format!("{path}: {error}; left as it is"));
                    self.unreadable.push(orphan.path);
                }
            }
        }
        lanes
    }

    /// Removes adopted spools that nothing is left of, and lets go of those that this server's actor may not send.
    pub(super) fn close_done(&mut self, lanes: &[Lane]) {
        self.adopted.retain(|spool| {
            let used = lanes.iter().any(|lane| Arc::ptr_eq(lane.spool(), spool));
            if !used {
                // What is not acknowledged stays for another client.
                let _ = spool.close();
            }
            used
        });
    }

    /// The server has said whose key this is: rings of somebody else are let go.
    pub(super) fn identified(&self, organization: &str, actor: &str, shared: &Shared) -> Vec<Arc<Spool>> {
        let mut foreign = Vec::new();
        for spool in self.adopted.iter().chain([&self.own]) {
            let Ok(mut owner) = spool.owner() else { continue };
            let same = |theirs: &str, ours: &str| theirs.is_empty() || theirs == ours;
            if !same(&owner.actor, actor) || !same(&owner.organization, organization) {
                if !Arc::ptr_eq(spool, &self.own) && !same(&owner.organization, organization) {
                    warn_of_foreign(spool.path(), &owner.url, shared);
                }
                foreign.push(spool.clone());
            } else if owner.actor.is_empty() || owner.organization.is_empty() {
                owner.actor = actor.to_owned();
                owner.organization = organization.to_owned();
                let _ = spool.set_owner(owner);
            }
        }
        foreign
    }
}

/// A ring that this URL's server will never take: its organization is another one, as after the server's data directory was
/// replaced. Nobody removes what may be somebody's only copy; but it must not lie there without a word.
fn warn_of_foreign(ring: &Path, url: &str, shared: &Shared) {
    let (path, stem) = (ring.display().to_string(), ring.with_extension(""));
    let text = format!(
        "{path}, of a process that has ended, belongs to another organization than the one that {url} serves now: it is not \
         sent. If that server's former data is gone for good, remove {}.*",
        stem.display()
    );
    shared.warn("foreign", &path, &text);
}

#[cfg(test)]
mod tests;
