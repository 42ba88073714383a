//! What a source holds, found by reading all of it once: runs with their writers, projects with the claims that won.

use std::collections::{BTreeMap, BTreeSet};

use corral_domain::envelope::READER_VERSION;
use corral_domain::{
    Actor, Envelope, EventType, OrganizationId, Partition, Position, ProjectId, RunId, StreamKind, WriterId,
};

use crate::push::PushError;
use crate::source::{Seen, Source, Walk};

/// Who writes: its id, its epoch, its account.
pub(crate) type WriterKey = (WriterId, u32, Actor);

/// What one organization has in a source.
#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) runs: BTreeMap<RunId, BTreeSet<WriterKey>>,
    /// By name: the project whose claim was the first, with that claim.
    pub(crate) projects: BTreeMap<String, (ProjectId, Seen)>,
}

/// What a source holds.
#[derive(Default)]
pub(crate) struct Survey {
    pub(crate) organizations: BTreeMap<OrganizationId, Contents>,
    /// Where it ended: what comes behind it is for another push.
    pub(crate) tails: Position,
    pub(crate) records: u64,
    pub(crate) unreadable: u64,
}

pub(crate) async fn survey(source: &Source, progress: &(dyn Fn(String) + Send + Sync)) -> Result<Survey, PushError> {
    let mut survey = Survey::default();
    for partition in (0..source.identity().partitions).map(Partition) {
        let mut walk = Walk::new(source, partition, None).await?;
        while let Some(records) = walk.read().await? {
            survey.records += records.len() as u64;
            for seen in records {
                survey.take(seen)?;
            }
            progress(format!("looking at partition {partition}: {} of {}", walk.next(), walk.tail()));
        }
        survey.tails.advance(partition, walk.tail());
        survey.unreadable += walk.unreadable;
    }
    Ok(survey)
}

impl Survey {
    fn take(&mut self, seen: Seen) -> Result<(), PushError> {
        let envelope = &seen.envelope;
        readable(envelope).map_err(|why| PushError::Unreadable(seen.place.partition, seen.place.offset, why))?;
        let contents = self.organizations.entry(envelope.stream.organization).or_default();
        match (envelope.stream.kind, envelope.kind) {
            (StreamKind::Run, _) => {
                let Ok(run) = envelope.stream.run_id() else { return Ok(()) };
                let writers = contents.runs.entry(run).or_default();
                if let Some(range) = envelope.writer {
                    writers.insert((range.writer, range.epoch, envelope.actor.clone()));
                }
            }
            (StreamKind::Organization, EventType::ProjectNameClaimed) if envelope.command_id.is_some() => {
                // One that cannot be read claimed nothing.
                if let Ok(claim) = corral_event_codec::decode_project_name_claimed(&envelope.payload) {
                    contents.projects.entry(claim.name).or_insert((claim.project, seen));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn readable(envelope: &Envelope) -> Result<(), String> {
    match () {
        () if envelope.min_reader_version > READER_VERSION => {
            Err(format!("it needs a reader of version {}", envelope.min_reader_version))
        }
        () if envelope.codec != 0 || !envelope.sealed_with.is_empty() => {
            Err("its payload is encoded or sealed".to_owned())
        }
        () => Ok(()),
    }
}
