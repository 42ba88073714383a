//! Who is pushed to.

use async_trait::async_trait;
use bytes::Bytes;
use corral_wire::proto;
use corral_wire::proto::push_service_client::PushServiceClient;
use tonic::Status;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::StdError;

/// A Corral that takes what is pushed. An answer "later" is asked for again by who pushes.
#[async_trait]
pub trait Target: Send {
    async fn survey(&mut self, request: proto::PushSurveyRequest) -> Result<proto::PushSurveyResponse, Status>;

    /// Answers when all records are durable.
    async fn records(&mut self, request: proto::PushRecordsRequest) -> Result<proto::PushRecordsResponse, Status>;
}

/// A server, over gRPC: a channel that shows an admin's key.
pub struct RpcTarget<T>(PushServiceClient<T>);

impl<T> RpcTarget<T>
where
    T: GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: http_body::Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as http_body::Body>::Error: Into<StdError> + Send,
{
    pub fn new(channel: T) -> Self {
        Self(PushServiceClient::new(channel))
    }
}

#[async_trait]
impl<T> Target for RpcTarget<T>
where
    T: GrpcService<Body> + Send,
    T::Error: Into<StdError>,
    T::Future: Send,
    T::ResponseBody: http_body::Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as http_body::Body>::Error: Into<StdError> + Send,
{
    async fn survey(&mut self, request: proto::PushSurveyRequest) -> Result<proto::PushSurveyResponse, Status> {
        Ok(self.0.push_survey(request).await?.into_inner())
    }

    async fn records(&mut self, request: proto::PushRecordsRequest) -> Result<proto::PushRecordsResponse, Status> {
        Ok(self.0.push_records(request).await?.into_inner())
    }
}
