//! The questions, of whichever door: message in, message out.

use corral_domain::OrganizationId;
use corral_query::{Engine, QueryError};
use corral_wire::{ApiError, proto};

/// A handle, cheap to clone.
#[derive(Clone)]
pub struct Questions(Engine);

impl Questions {
    pub fn new(engine: Engine) -> Self {
        Self(engine)
    }

    pub async fn list_projects(
        &self,
        organization: OrganizationId,
        request: proto::ListProjectsRequest,
    ) -> Result<proto::ListProjectsResponse, ApiError> {
        let query = corral_wire::projects_from_proto(request)?;
        let answer = self.0.projects(organization, &query).await.map_err(failed)?;
        Ok(corral_wire::projects_to_proto(answer))
    }

    pub async fn list_runs(
        &self,
        organization: OrganizationId,
        request: proto::ListRunsRequest,
    ) -> Result<proto::ListRunsResponse, ApiError> {
        let query = corral_wire::runs_from_proto(request)?;
        let answer = self.0.runs(organization, &query).await.map_err(failed)?;
        Ok(corral_wire::runs_to_proto(answer))
    }

    pub async fn get_run(
        &self,
        organization: OrganizationId,
        request: proto::GetRunRequest,
    ) -> Result<proto::GetRunResponse, ApiError> {
        let query = corral_wire::run_from_proto(request)?;
        let answer = self.0.run(organization, &query).await.map_err(failed)?;
        Ok(corral_wire::run_to_proto(answer))
    }

    pub async fn get_history(
        &self,
        organization: OrganizationId,
        request: proto::GetHistoryRequest,
    ) -> Result<proto::GetHistoryResponse, ApiError> {
        let query = corral_wire::history_from_proto(request)?;
        let answer = self.0.history(organization, &query).await.map_err(failed)?;
        Ok(corral_wire::history_to_proto(answer))
    }
}

/// What is damaged is ours to know and is logged here, once; the asker learns that it failed.
fn failed(error: QueryError) -> ApiError {
    if let QueryError::Damaged(reason) = &error {
        tracing::error!(reason, "a question met bytes of the read store that cannot be read");
    }
    error.into()
}
