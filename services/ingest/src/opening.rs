//! Opening a run: the project's name becomes its id, and the projection's decision becomes the answer.
//!
//! Both are events with a `command_id`; whoever wins in log order, the outcome's row says so, and the door waits for it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use corral_domain::limits::{OUTCOME_WAIT_MS_MAX, PROJECT_NAMES_MAX};
use corral_domain::project::ProjectNameClaimed;
use corral_domain::{CommandId, EventType, OrganizationId, Outcome, ProjectId, StreamKey, TraceContext};
use corral_event_codec::encode_project_name_claimed;
use corral_event_log::LogError;
use corral_hub::{Heard, Message, Subscriber};
use corral_read_store::layout::Row;
use corral_read_store::outcome::from_row;
use corral_read_store::project::{ProjectNameRow, name_key};
use corral_read_store::state::{OutcomeRow, outcome_key};
use corral_wire::ApiError;

use crate::counters::add;
use crate::door::{Author, IngestDoor, RecordOf, spread, store_error};

/// Names that this door has seen resolved. A project's name is never given to another project while the process lives.
#[derive(Default)]
pub(crate) struct ProjectNames(Mutex<HashMap<(OrganizationId, String), ProjectId>>);

impl ProjectNames {
    fn get(&self, organization: OrganizationId, name: &str) -> Option<ProjectId> {
        self.lock().get(&(organization, name.to_owned())).copied()
    }

    fn put(&self, organization: OrganizationId, name: &str, project: ProjectId) {
        let mut names = self.lock();
        if names.len() >= PROJECT_NAMES_MAX {
            // Rare, and a miss costs one read of the store: starting over is simpler than ageing.
            names.clear();
        }
        names.insert((organization, name.to_owned()), project);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(OrganizationId, String), ProjectId>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl IngestDoor {
    /// Cache, read store, or a claim on the organization's stream.
    pub(crate) async fn project(&self, author: &Author, name: &str) -> Result<ProjectId, ApiError> {
        if let Some(project) = self.names.get(author.organization, name) {
            return Ok(project);
        }
        let row = self.store.get(&name_key(author.organization, name)).await.map_err(|error| store_error(&error))?;
        let project = match row {
            Some(row) => ProjectNameRow::decode(&row).map_err(|error| store_error(&error.into()))?.project,
            None => self.claim(author, name).await?,
        };
        self.names.put(author.organization, name, project);
        Ok(project)
    }

    async fn claim(&self, author: &Author, name: &str) -> Result<ProjectId, ApiError> {
        let stream = StreamKey::organization(author.organization);
        let command = CommandId(self.new_id());
        let claim = ProjectNameClaimed { name: name.to_owned(), project: ProjectId(self.new_id()) };
        let record = self.record(
            author,
            RecordOf {
                stream: &stream,
                kind: EventType::ProjectNameClaimed,
                client_time_us: self.clock.now().0,
                writer: None,
                command_id: Some(command),
                take: 0,
                trace: TraceContext::default(),
                payload: encode_project_name_claimed(&claim),
            },
        )?;
        let partition = stream.partition(self.log.identity().partitions);
        self.log.append(partition, vec![record]).await.map_err(|error| log_error(&error))?;
        match self.outcome(&stream, command).await? {
            Outcome::ProjectName { project, .. } => Ok(project),
            other => {
                tracing::error!(?other, "a name's claim has the outcome of another command");
                Err(ApiError::internal())
            }
        }
    }

    /// Waits for what the projection decided: the hub says when to look, a look each second is the fallback.
    pub(crate) async fn outcome(&self, stream: &StreamKey, command: CommandId) -> Result<Outcome, ApiError> {
        let mut nudges = self.hub.subscribe();
        let key = outcome_key(stream, command);
        let look = async {
            loop {
                if let Some(row) = self.store.get(&key).await.map_err(|error| store_error(&error))? {
                    let row = OutcomeRow::decode(&row).and_then(|row| from_row(&row));
                    return row.map_err(|error| store_error(&error.into()));
                }
                // A timeout is the fallback's turn; so is a hub that has gone.
                let _ = tokio::time::timeout(Duration::from_secs(1), moved(&mut nudges, stream)).await;
            }
        };
        match tokio::time::timeout(Duration::from_millis(OUTCOME_WAIT_MS_MAX), look).await {
            Ok(outcome) => outcome,
            Err(_) => {
                add(&self.counters.outcomes_late, 1);
                let error = ApiError::unavailable("the projection has not decided yet");
                Err(error.reason("OUTCOME_PENDING").retry_after_ms(spread(1_000)))
            }
        }
    }
}

/// Returns when the stream may have moved.
async fn moved(nudges: &mut Subscriber, stream: &StreamKey) {
    loop {
        match nudges.next().await {
            Some(Heard::Message(Message::Nudge(nudge))) if nudge.stream == *stream => return,
            Some(Heard::Lagged) => return,
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}

/// What a client hears of a log that failed. A fatal error is the supervisor's: here it only means "not acknowledged".
pub(crate) fn log_error(error: &LogError) -> ApiError {
    tracing::warn!(%error, "an append failed");
    ApiError::unavailable("the event log cannot take appends now")
        .reason("LOG_UNAVAILABLE")
        .retry_after_ms(spread(1_000))
}
