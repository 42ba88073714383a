//! The spools that are sent: this process's own, and those of ended processes.

use std::path::PathBuf;
use std::sync::Arc;

use corral_spool::{Spool, orphans, sweep};

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
        let Some(dir) = self.own.path().parent().map(std::path::Path::to_owned) else { return Vec::new() };
        let Ok(owner) = self.own.owner() else { return Vec::new() };
        sweep(&dir);
        let mut except = self.unreadable.clone();
        except.push(self.own.path().to_owned());
        except.extend(self.adopted.iter().map(|spool| spool.path().to_owned()));
        let mut lanes = Vec::new();
        for orphan in orphans(&dir, &except) {
            let same = |theirs: &str, ours: &str| theirs.is_empty() || ours.is_empty() || theirs == ours;
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
                    shared.warn("unreadable", &format!("{}: {error}; left as it is", orphan.path.display()));
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
    pub(super) fn identified(&self, organization: &str, actor: &str) -> Vec<Arc<Spool>> {
        let mut foreign = Vec::new();
        for spool in self.adopted.iter().chain([&self.own]) {
            let Ok(mut owner) = spool.owner() else { continue };
            let same = |theirs: &str, ours: &str| theirs.is_empty() || theirs == ours;
            if !same(&owner.actor, actor) || !same(&owner.organization, organization) {
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
