//! A record as it is at the target: organization, account, run and project as they are called there, and where it lay.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use corral_domain::project::ProjectNameClaimed;
use corral_domain::run::{GapAccepted, GapReason};
use corral_domain::{
    Envelope, EventType, OrganizationId, ProjectId, RunEntry, RunId, StreamKey, StreamKind, WriterRange,
};
use corral_event_codec::{decode_run_items, encode_envelope, encode_project_name_claimed, encode_run_items};

use corral_projection::said::{Deduplication, Said};

use super::Names;
use crate::mapping::{Mapping, command_id, project_id};
use crate::source::Seen;
use crate::standing::{RunThere, Whose};

/// Who has a name at the target.
pub(super) type Projects = BTreeMap<String, ProjectId>;

/// A project of the source as it is there: its id and its name.
pub(super) type Moved = (ProjectId, ProjectId, String);

/// The claim of a project's name.
pub(super) fn claim(names: &Names<'_>, (old, new): (&str, &str), id: ProjectId, seen: &Seen) -> Bytes {
    let claim = ProjectNameClaimed { name: new.to_owned(), project: project_id(id, (old, new)) };
    encode_envelope(&Envelope {
        stream: StreamKey::organization(names.whose.organization),
        actor: names.mapping.actor(&seen.envelope.actor, &names.whose.actor),
        command_id: seen.envelope.command_id.map(|id| command_id(id, (old, new))),
        payload: encode_project_name_claimed(&claim),
        pushed: Some(seen.place),
        ..seen.envelope.clone()
    })
}

/// By the source's name: the project's id there, the target's, and the target's name.
pub(super) fn moved(names: &Names<'_>, taken: &Projects) -> BTreeMap<String, Moved> {
    let own = |(old, (id, _)): (&String, &(ProjectId, Seen))| {
        let new = names.mapping.project(old).to_owned();
        let there = taken.get(&new).copied().unwrap_or_else(|| project_id(*id, (old, &new)));
        (old.clone(), (*id, there, new))
    };
    names.contents.projects.iter().map(own).collect()
}

/// Makes records of the source the target's.
pub(super) struct Rewriter<'a> {
    pub(super) mapping: &'a Mapping,
    pub(super) whose: &'a Whose,
    pub(super) organization: OrganizationId,
    pub(super) projects: BTreeMap<String, Moved>,
    pub(super) stages: HashMap<StreamKey, Deduplication>,
}

impl Rewriter<'_> {
    /// Whether the stage skips it there: then it skips it here too. Behind a hole that is for the target to say.
    fn is_skipped(&mut self, seen: &Seen, range: WriterRange) -> bool {
        let envelope = &seen.envelope;
        let stage = self.stages.entry(envelope.stream.clone()).or_default();
        let said = stage.say(envelope, seen.place.after_hole, false);
        let in_order = stage.in_order(&(range.writer, range.epoch, envelope.actor.clone())).is_some();
        matches!(said, Said::Skipped { .. }) && in_order && !seen.place.after_hole
    }

    /// `None`: the target has it, or need not.
    pub(super) fn record(
        &mut self,
        seen: &Seen,
        there: &HashMap<RunId, RunThere>,
        replaced: &mut u64,
    ) -> Option<Bytes> {
        let envelope = &seen.envelope;
        if envelope.stream.organization != self.organization || envelope.stream.kind != StreamKind::Run {
            return None;
        }
        let run = self.mapping.run(&envelope.stream.run_id().ok()?);
        let actor = self.mapping.actor(&envelope.actor, &self.whose.actor);
        let known = there.get(&run);
        let payload = match (envelope.kind, envelope.writer) {
            (EventType::RunItems, Some(range)) => {
                if self.is_skipped(seen, range) {
                    return None;
                }
                let applied = known.and_then(|known| known.applied.get(&(range.writer, range.epoch, actor.clone())));
                if applied.is_some_and(|applied| range.last <= *applied) {
                    return None;
                }
                self.items(envelope, range, replaced)
            }
            (EventType::RunHeartbeat, _) => {
                if known.is_some_and(|known| known.exists && seen.place.append_time <= known.append_time) {
                    return None;
                }
                envelope.payload.clone()
            }
            // On a run's stream it was a dead letter there.
            _ => return None,
        };
        Some(encode_envelope(&Envelope {
            stream: StreamKey::run(self.whose.organization, &run),
            actor,
            payload,
            pushed: Some(seen.place),
            ..envelope.clone()
        }))
    }

    fn items(&self, envelope: &Envelope, range: WriterRange, replaced: &mut u64) -> Bytes {
        let Ok(mut entries) = decode_run_items(&envelope.payload) else {
            // A dead letter there; its seqs must be done with here too, or nothing of the writer would follow.
            *replaced += 1;
            let detail = "what was sent could not be read".to_owned();
            let gap = GapAccepted { from: range.first, to: range.last, why: GapReason::Damaged, detail };
            return encode_run_items(&[RunEntry::Gap(gap)]);
        };
        let [RunEntry::Opened(opened)] = entries.as_mut_slice() else { return envelope.payload.clone() };
        let moved = self.projects.get(&opened.project_name);
        let Some((_, there, name)) = moved.filter(|(id, ..)| opened.project == Some(*id)) else {
            return envelope.payload.clone();
        };
        if opened.project == Some(*there) && opened.project_name == *name {
            return envelope.payload.clone();
        }
        (opened.project, opened.project_name) = (Some(*there), name.clone());
        encode_run_items(&entries)
    }
}
