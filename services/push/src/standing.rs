//! What the target has of what is about to be pushed: asked in pages, by the names that things have there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use corral_domain::limits::{
    PUSH_ATTEMPTS_COUNT_MAX, PUSH_REQUEST_MS_MAX, PUSH_RETRY_MS_MAX, PUSH_RETRY_MS_MIN, PUSH_SURVEY_COUNT_MAX,
};
use corral_domain::{Actor, LogEpoch, LogId, Micros, OrganizationId, ProjectId, RunId};
use corral_wire::error::info_of;
use corral_wire::proto;
use tonic::{Code, Status};

use crate::push::PushError;
use crate::survey::WriterKey;
use crate::target::Target;

/// Who takes what is pushed, and for whom it takes it.
#[derive(Clone, Debug)]
pub(crate) struct Whose {
    pub(crate) organization: OrganizationId,
    pub(crate) actor: Actor,
    pub(crate) log: (LogId, LogEpoch),
}

/// What it has of a run.
#[derive(Default)]
pub(crate) struct RunThere {
    pub(crate) exists: bool,
    pub(crate) append_time: Micros,
    /// Up to which seq every item of a writer was applied.
    pub(crate) applied: HashMap<WriterKey, u64>,
}

pub(crate) async fn whose(target: &mut dyn Target) -> Result<Whose, PushError> {
    let answer = survey(target, &proto::PushSurveyRequest::default()).await?;
    let wrong = |error: corral_domain::IdError| PushError::Answer(error.to_string());
    Ok(Whose {
        organization: OrganizationId::from_slice(&answer.organization).map_err(wrong)?,
        actor: answer.actor.parse().map_err(wrong)?,
        log: (LogId::from_slice(&answer.log_id).map_err(wrong)?, LogEpoch(answer.log_epoch)),
    })
}

/// Runs by their names there, with their writers.
pub(crate) async fn runs(
    target: &mut dyn Target,
    asked: &BTreeMap<RunId, BTreeSet<WriterKey>>,
) -> Result<HashMap<RunId, RunThere>, PushError> {
    let mut there: HashMap<RunId, RunThere> = HashMap::new();
    // Half of a page's count for runs, half for writers: a run with more is asked for several times.
    let half = PUSH_SURVEY_COUNT_MAX / 2;
    let pieces: Vec<(&RunId, Vec<&WriterKey>)> = asked
        .iter()
        .flat_map(|(run, writers)| {
            let all: Vec<&WriterKey> = writers.iter().collect();
            let mut pieces: Vec<_> = all.chunks(half).map(|piece| (run, piece.to_vec())).collect();
            if pieces.is_empty() {
                pieces.push((run, Vec::new()));
            }
            pieces
        })
        .collect();
    let (mut page, mut writers) = (Vec::new(), 0);
    for piece in pieces {
        if page.len() == half || writers + piece.1.len() > half {
            ask(target, std::mem::take(&mut page), &mut there).await?;
            writers = 0;
        }
        writers += piece.1.len();
        page.push(piece);
    }
    if !page.is_empty() {
        ask(target, page, &mut there).await?;
    }
    Ok(there)
}

async fn ask(
    target: &mut dyn Target,
    page: Vec<(&RunId, Vec<&WriterKey>)>,
    there: &mut HashMap<RunId, RunThere>,
) -> Result<(), PushError> {
    let writer = |(id, epoch, actor): &&WriterKey| proto::PushedWriter {
        writer_id: id.as_bytes().to_vec().into(),
        epoch: *epoch,
        actor: actor.as_str().to_owned(),
    };
    let run = |(run, writers): &(&RunId, Vec<&WriterKey>)| proto::PushedRun {
        run_id: run.as_str().to_owned(),
        writers: writers.iter().map(writer).collect(),
    };
    let request = proto::PushSurveyRequest { runs: page.iter().map(run).collect(), projects: Vec::new() };
    let answer = survey(target, &request).await?;
    if answer.runs.len() != page.len() {
        return Err(PushError::Answer(format!("{} runs were asked for, {} answered", page.len(), answer.runs.len())));
    }
    for ((run, writers), standing) in page.into_iter().zip(answer.runs) {
        let own = there.entry(run.clone()).or_default();
        own.exists |= standing.exists;
        own.append_time = own.append_time.max(Micros(standing.append_time_us));
        own.applied.extend(writers.into_iter().cloned().zip(standing.applied_seqs));
    }
    Ok(())
}

/// Who has these names there.
pub(crate) async fn projects(
    target: &mut dyn Target,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, ProjectId>, PushError> {
    let mut there = BTreeMap::new();
    let names: Vec<&String> = names.iter().collect();
    for page in names.chunks(PUSH_SURVEY_COUNT_MAX) {
        let projects = page.iter().map(|name| (*name).clone()).collect();
        let answer = survey(target, &proto::PushSurveyRequest { runs: Vec::new(), projects }).await?;
        for (name, standing) in page.iter().zip(answer.projects) {
            if !standing.project_id.is_empty() {
                let id = ProjectId::from_slice(&standing.project_id);
                there.insert((*name).clone(), id.map_err(|error| PushError::Answer(error.to_string()))?);
            }
        }
    }
    Ok(there)
}

async fn survey(
    target: &mut dyn Target,
    request: &proto::PushSurveyRequest,
) -> Result<proto::PushSurveyResponse, PushError> {
    let mut attempts = Attempts::default();
    loop {
        match within(target.survey(request.clone())).await {
            Ok(answer) => return Ok(answer),
            Err(status) => attempts.again(status).await?,
        }
    }
}

pub(crate) async fn records(
    target: &mut dyn Target,
    request: &proto::PushRecordsRequest,
) -> Result<proto::PushRecordsResponse, PushError> {
    let mut attempts = Attempts::default();
    loop {
        match within(target.records(request.clone())).await {
            Ok(answer) => return Ok(answer),
            Err(status) => attempts.again(status).await?,
        }
    }
}

async fn within<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let late = |_| Status::deadline_exceeded(format!("no answer came in {PUSH_REQUEST_MS_MAX} ms"));
    tokio::time::timeout(Duration::from_millis(PUSH_REQUEST_MS_MAX), call).await.map_err(late)?
}

/// Attempts at one request.
#[derive(Default)]
struct Attempts(u32);

impl Attempts {
    /// Waits before another one, or gives up.
    async fn again(&mut self, status: Status) -> Result<(), PushError> {
        self.0 += 1;
        let later = matches!(
            status.code(),
            Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown
        );
        if !later || self.0 >= PUSH_ATTEMPTS_COUNT_MAX {
            return Err(PushError::Target(status.message().to_owned()));
        }
        let doubled = PUSH_RETRY_MS_MIN << self.0;
        let wait_ms = info_of(&status).and_then(|info| info.retry_after_ms).unwrap_or(doubled);
        tokio::time::sleep(Duration::from_millis(wait_ms.clamp(PUSH_RETRY_MS_MIN, PUSH_RETRY_MS_MAX))).await;
        Ok(())
    }
}
