//! The questions as `QueryService`.

use corral_access::Principal;
use corral_domain::OrganizationId;
use corral_domain::limits::HTTP_BODY_BYTES_MAX;
use corral_wire::proto::query_service_server::{QueryService, QueryServiceServer};
use corral_wire::{ApiError, ErrorKind, proto};
use tonic::{Request, Response, Status};

use crate::Questions;

/// The tonic adapter. Whoever routes to it puts the checked [`Principal`] into the request's extensions.
pub struct QueryRpc(Questions);

impl QueryRpc {
    /// The service as a router takes it.
    pub fn service(questions: Questions) -> QueryServiceServer<Self> {
        QueryServiceServer::new(Self(questions)).max_decoding_message_size(HTTP_BODY_BYTES_MAX)
    }
}

fn organization<T>(request: &Request<T>) -> Result<OrganizationId, ApiError> {
    let principal = request.extensions().get::<Principal>();
    let principal = principal.ok_or_else(|| ApiError::new(ErrorKind::Unauthenticated, "a key is needed"))?;
    Ok(principal.organization)
}

#[tonic::async_trait]
impl QueryService for QueryRpc {
    async fn list_projects(
        &self,
        request: Request<proto::ListProjectsRequest>,
    ) -> Result<Response<proto::ListProjectsResponse>, Status> {
        let organization = organization(&request)?;
        Ok(Response::new(self.0.list_projects(organization, request.into_inner()).await?))
    }

    async fn list_runs(
        &self,
        request: Request<proto::ListRunsRequest>,
    ) -> Result<Response<proto::ListRunsResponse>, Status> {
        let organization = organization(&request)?;
        Ok(Response::new(self.0.list_runs(organization, request.into_inner()).await?))
    }

    async fn get_run(&self, request: Request<proto::GetRunRequest>) -> Result<Response<proto::GetRunResponse>, Status> {
        let organization = organization(&request)?;
        Ok(Response::new(self.0.get_run(organization, request.into_inner()).await?))
    }

    async fn get_history(
        &self,
        request: Request<proto::GetHistoryRequest>,
    ) -> Result<Response<proto::GetHistoryResponse>, Status> {
        let organization = organization(&request)?;
        Ok(Response::new(self.0.get_history(organization, request.into_inner()).await?))
    }
}
