//! A push, from its survey to its last record.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;
use corral_archive::ArchiveError;
use corral_domain::limits::{PUSH_BYTES_MAX, PUSH_NAME_WAIT_MS_MAX, PUSH_RECORDS_MAX, PUSH_RETRY_MS_MIN};
use corral_domain::{LogEpoch, Offset, OrganizationId, Partition, Position, RunId};
use corral_wire::position::position_from_proto;
use corral_wire::proto;

use crate::mapping::Mapping;
use crate::source::{Source, Walk};
use crate::standing::{self, RunThere, Whose};
use crate::survey::{Contents, Survey, WriterKey, survey};
use crate::target::Target;

mod clash;
mod rewrite;

pub use clash::Clash;
use rewrite::{Projects, Rewriter};

/// What is pushed, and how.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub mapping: Mapping,
    /// Whose runs, where a source has those of several.
    pub organization: Option<OrganizationId>,
    /// Look and list clashes; send nothing.
    pub dry_run: bool,
    /// It takes the source's place: its log must have a later epoch, or clients that were acknowledged by the source would
    /// not send again what it lacks.
    pub restore: bool,
}

/// Why a push ended before its end. What was sent stays; another one goes on.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    #[error("from: {0}")]
    Source(#[from] ArchiveError),
    #[error("from: there is no event in it")]
    Empty,
    #[error("from: it holds several organizations, say which by --organization: {}", list(.0))]
    Organizations(Vec<OrganizationId>),
    #[error("organization: {wanted} is not in the source, which has {}", list(.has))]
    NoOrganization { wanted: OrganizationId, has: Vec<OrganizationId> },
    #[error("from: partition {0}, offset {1}: {2}; it cannot be pushed")]
    Unreadable(Partition, Offset, String),
    #[error("to: it is the source itself")]
    Itself,
    #[error(
        "to: its log has epoch {}, and a restore of one of epoch {} needs a later one: stop it, and raise its epoch by \
         `corral log restored`",
        .target_epoch.0,
        .source_epoch.0
    )]
    Epoch { source_epoch: LogEpoch, target_epoch: LogEpoch },
    #[error("nothing was sent, as these names clash:\n{}", list(.0))]
    Clashes(Vec<Clash>),
    #[error("map: {0} is not in the source")]
    NothingToMap(String),
    #[error("to: {0}")]
    Target(String),
    #[error("to: its answer is not one: {0}")]
    Answer(String),
    #[error("to: whose the name of project {0:?} is was not decided in {PUSH_NAME_WAIT_MS_MAX} ms; push again")]
    Undecided(String),
}

fn list<T: ToString>(all: &[T]) -> String {
    all.iter().map(T::to_string).collect::<Vec<_>>().join("\n")
}

/// What a push did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    pub runs: u64,
    pub projects: u64,
    /// Records of the source, and of those the ones that were sent.
    pub records: u64,
    pub sent: u64,
    pub sent_bytes: u64,
    /// Records that are no events.
    pub unreadable: u64,
    /// Records whose content cannot be read there either: a gap of as many items was sent.
    pub replaced: u64,
    /// Where the target has the last of them: what `not_before` takes.
    pub position: Position,
}

/// Says how far it is.
pub type Progress<'a> = &'a (dyn Fn(String) + Send + Sync);

/// Pushes all that the source has and the target has not.
pub async fn push(
    source: &Source,
    target: &mut dyn Target,
    plan: &Plan,
    progress: Progress<'_>,
) -> Result<Pushed, PushError> {
    let whose = standing::whose(target).await?;
    let identity = source.identity();
    if whose.log == (identity.log_id, identity.log_epoch) {
        return Err(PushError::Itself);
    }
    if plan.restore && whose.log.1 <= identity.log_epoch {
        return Err(PushError::Epoch { source_epoch: identity.log_epoch, target_epoch: whose.log.1 });
    }
    let survey = survey(source, progress).await?;
    let (organization, contents) = chosen(&survey, plan.organization)?;
    let names = Names { mapping: &plan.mapping, contents, whose: &whose };
    let (there, taken) = names.ask(target).await?;
    let clashes = names.clashes(&there, &taken);
    if !clashes.is_empty() {
        return Err(PushError::Clashes(clashes));
    }
    let (runs, projects) = (contents.runs.len() as u64, contents.projects.len() as u64);
    let pushed = Pushed { runs, projects, records: survey.records, unreadable: survey.unreadable, ..Pushed::default() };
    if plan.dry_run {
        return Ok(pushed);
    }
    let mut sending = Sending { target, pushed };
    let projects = sending.claim(&names, taken).await?;
    let (mapping, stages) = (&plan.mapping, HashMap::new());
    let mut rewriter = Rewriter { mapping, whose: &whose, organization, projects, stages };
    for partition in (0..identity.partitions).map(Partition) {
        let tail = survey.tails.0.get(&partition).copied();
        let walk = Walk::new(source, partition, tail).await?;
        sending.partition(walk, (&mut rewriter, &there), progress).await?;
    }
    Ok(sending.pushed)
}

fn chosen(survey: &Survey, wanted: Option<OrganizationId>) -> Result<(OrganizationId, &Contents), PushError> {
    let all = || survey.organizations.keys().copied().collect::<Vec<_>>();
    let mut organizations = survey.organizations.iter();
    match (wanted, organizations.next(), organizations.next()) {
        (_, None, _) => Err(PushError::Empty),
        (Some(wanted), ..) => {
            let contents = survey.organizations.get(&wanted);
            contents.map(|contents| (wanted, contents)).ok_or_else(|| PushError::NoOrganization { wanted, has: all() })
        }
        (None, Some((organization, contents)), None) => Ok((*organization, contents)),
        (None, ..) => Err(PushError::Organizations(all())),
    }
}

/// What is pushed, by the names that it has at the target.
pub(crate) struct Names<'a> {
    mapping: &'a Mapping,
    contents: &'a Contents,
    whose: &'a Whose,
}

impl Names<'_> {
    fn writer(&self, (id, epoch, actor): &WriterKey) -> WriterKey {
        (*id, *epoch, self.mapping.actor(actor, &self.whose.actor))
    }

    /// What the target has of the runs, and who has the projects' names.
    async fn ask(&self, target: &mut dyn Target) -> Result<(HashMap<RunId, RunThere>, Projects), PushError> {
        let (runs, projects) = (&self.contents.runs, &self.contents.projects);
        let run = self.mapping.runs.keys().find(|run| !runs.contains_key(run)).map(|run| format!("run:{run}"));
        let project = || self.mapping.projects.keys().find(|name| !projects.contains_key(*name));
        if let Some(nothing) = run.or_else(|| project().map(|name| format!("project:{name}"))) {
            return Err(PushError::NothingToMap(nothing));
        }
        let mut runs: BTreeMap<RunId, BTreeSet<WriterKey>> = BTreeMap::new();
        for (run, writers) in &self.contents.runs {
            let own = runs.entry(self.mapping.run(run)).or_default();
            own.extend(writers.iter().map(|writer| self.writer(writer)));
        }
        let names = self.contents.projects.keys().map(|name| self.mapping.project(name).to_owned()).collect();
        let (there, taken) = (standing::runs(target, &runs).await?, standing::projects(target, &names).await?);
        Ok((there, taken))
    }
}

/// What goes to the target.
struct Sending<'a> {
    target: &'a mut dyn Target,
    pushed: Pushed,
}

/// Records of one source partition that go together.
#[derive(Default)]
struct Batch {
    records: Vec<Bytes>,
    bytes: usize,
}

impl Sending<'_> {
    /// Claims the names that nobody has, and waits until the target has decided: runs must not come before their project.
    /// Answers which project each name means there.
    async fn claim(
        &mut self,
        names: &Names<'_>,
        mut taken: Projects,
    ) -> Result<BTreeMap<String, rewrite::Moved>, PushError> {
        let mut asked = BTreeSet::new();
        for (old, (id, seen)) in &names.contents.projects {
            let new = names.mapping.project(old);
            if taken.contains_key(new) || !asked.insert(new.to_owned()) {
                continue;
            }
            let record = rewrite::claim(names, (old, new), *id, seen);
            let batch = Batch { bytes: record.len(), records: vec![record] };
            self.send(&seen.place, batch).await?;
        }
        let mut waited_ms = 0;
        while let Some(name) = asked.iter().find(|name| !taken.contains_key(*name)) {
            if waited_ms >= PUSH_NAME_WAIT_MS_MAX {
                return Err(PushError::Undecided(name.clone()));
            }
            taken.extend(standing::projects(self.target, &asked).await?);
            if asked.iter().any(|name| !taken.contains_key(name)) {
                tokio::time::sleep(Duration::from_millis(PUSH_RETRY_MS_MIN)).await;
                waited_ms += PUSH_RETRY_MS_MIN;
            }
        }
        let clashes = names.project_clashes(&taken);
        if clashes.is_empty() { Ok(rewrite::moved(names, &taken)) } else { Err(PushError::Clashes(clashes)) }
    }

    async fn partition(
        &mut self,
        mut walk: Walk<'_>,
        (rewriter, there): (&mut Rewriter<'_>, &HashMap<RunId, RunThere>),
        progress: Progress<'_>,
    ) -> Result<(), PushError> {
        let mut batch = Batch::default();
        let mut place = None;
        while let Some(records) = walk.read().await? {
            for seen in records {
                let Some(record) = rewriter.record(&seen, there, &mut self.pushed.replaced) else { continue };
                if batch.records.len() == PUSH_RECORDS_MAX || batch.bytes + record.len() > PUSH_BYTES_MAX {
                    self.send(place.as_ref().unwrap_or(&seen.place), std::mem::take(&mut batch)).await?;
                }
                batch.bytes += record.len();
                batch.records.push(record);
                place = Some(seen.place);
            }
            progress(format!("partition {}: {} of {}", walk.partition(), walk.next(), walk.tail()));
        }
        match place {
            Some(place) if !batch.records.is_empty() => self.send(&place, batch).await,
            _ => Ok(()),
        }
    }

    async fn send(&mut self, place: &corral_domain::Pushed, batch: Batch) -> Result<(), PushError> {
        let (sent, sent_bytes) = (batch.records.len() as u64, batch.bytes as u64);
        let request = proto::PushRecordsRequest {
            source_log_id: place.log_id.as_bytes().to_vec().into(),
            source_log_epoch: place.log_epoch.0,
            source_partition: u32::from(place.partition.0),
            records: batch.records,
        };
        let answer = standing::records(self.target, &request).await?;
        let position = position_from_proto("position", &answer.position);
        for (partition, offset) in position.map_err(|error| PushError::Answer(error.to_string()))?.0 {
            self.pushed.position.advance(partition, offset);
        }
        self.pushed.sent += sent;
        self.pushed.sent_bytes += sent_bytes;
        Ok(())
    }
}
