//! The door as `PushService`.

use std::sync::Arc;

use corral_access::Principal;
use corral_domain::limits::PUSH_FRAME_BYTES_MAX;
use corral_wire::proto::push_service_server::{PushService, PushServiceServer};
use corral_wire::{ApiError, ErrorKind, proto};
use tonic::{Extensions, Request, Response, Status};

use crate::PushDoor;

/// The tonic adapter. Whoever routes to it puts the checked [`Principal`] into the request's extensions.
pub struct PushRpc(Arc<PushDoor>);

impl PushRpc {
    /// The service as a router takes it.
    pub fn service(door: Arc<PushDoor>) -> PushServiceServer<Self> {
        PushServiceServer::new(Self(door)).max_decoding_message_size(PUSH_FRAME_BYTES_MAX)
    }
}

fn principal(extensions: &Extensions) -> Result<Principal, ApiError> {
    let principal = extensions.get::<Principal>().cloned();
    principal.ok_or_else(|| ApiError::new(ErrorKind::Unauthenticated, "a key is needed"))
}

#[tonic::async_trait]
impl PushService for PushRpc {
    async fn push_survey(
        &self,
        request: Request<proto::PushSurveyRequest>,
    ) -> Result<Response<proto::PushSurveyResponse>, Status> {
        let principal = principal(request.extensions())?;
        Ok(Response::new(self.0.survey(&principal, request.into_inner()).await?))
    }

    async fn push_records(
        &self,
        request: Request<proto::PushRecordsRequest>,
    ) -> Result<Response<proto::PushRecordsResponse>, Status> {
        let principal = principal(request.extensions())?;
        Ok(Response::new(self.0.records(&principal, request.into_inner()).await?))
    }
}
