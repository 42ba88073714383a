//! The session over a gRPC stream, for programs: the same frames, with a key.

use corral_access::Principal;
use corral_domain::limits::{SESSION_FRAME_BYTES_MAX, SESSION_FRAMES_MAX};
use corral_tasks::Kind;
use corral_wire::proto::session_service_server::{SessionService, SessionServiceServer};
use corral_wire::{ApiError, ErrorKind, proto};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{Outgoing, Sessions, Visitor};

/// The tonic adapter.
pub struct SessionRpc(Sessions);

impl SessionRpc {
    pub fn service(sessions: Sessions) -> SessionServiceServer<Self> {
        SessionServiceServer::new(Self(sessions)).max_decoding_message_size(SESSION_FRAME_BYTES_MAX)
    }
}

#[tonic::async_trait]
impl SessionService for SessionRpc {
    type SessionStream = BoxStream<'static, Result<proto::SessionResponse, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<proto::SessionRequest>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let principal = request.extensions().get::<Principal>().cloned();
        let principal = principal.ok_or_else(|| ApiError::new(ErrorKind::Unauthenticated, "a key is needed"))?;
        let incoming = request
            .into_inner()
            .map(|frame| frame.map_err(|status| ApiError::of_frame(&status, SESSION_FRAME_BYTES_MAX)));
        let (out, frames) = mpsc::channel(SESSION_FRAMES_MAX);
        let sessions = self.0.clone();
        self.0.tasks.spawn("session", Kind::Connection, async move {
            sessions.serve(Visitor::Known(principal), incoming, out).await;
            Ok(())
        });
        let frames = ReceiverStream::new(frames).filter_map(|outgoing| async move {
            match outgoing {
                Outgoing::Frame(frame) => Some(Ok(*frame)),
                // HTTP/2 pings by itself.
                Outgoing::Ping => None,
            }
        });
        Ok(Response::new(frames.boxed()))
    }
}
