//! The door as `IngestService`: frames of `ingest.proto` to the connection's own and back.

use std::sync::Arc;
use std::time::Duration;

use corral_domain::limits::{
    APPEND_FRAME_BYTES_MAX, BATCH_BYTES_MAX, CONNECTION_FRAMES_MAX, HELLO_WAIT_MS_MAX, NAME_BYTES_MAX,
};
use corral_domain::{LogEpoch, Outcome, RunId, TraceContext, WriterId};
use corral_tasks::{Kind, Tasks};
use corral_wire::position::append_to_proto;
use corral_wire::proto::{self, append_request, append_response};
use corral_wire::{ApiError, ErrorKind, proto::ingest_service_server as service};
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Extensions, Request, Response, Status, Streaming};

use crate::connection::Connection;
use crate::door::{Author, IngestDoor};
use crate::frame;

/// What both sides speak; a client that speaks another is refused in its hello.
pub const PROTOCOL_VERSION: u32 = 1;

/// The tonic adapter. Whoever routes to it puts the [`Author`] of the checked key into the request's extensions.
#[derive(Clone)]
pub struct IngestRpc {
    door: Arc<IngestDoor>,
    tasks: Tasks,
}

impl IngestRpc {
    /// The service as a router takes it.
    pub fn service(door: Arc<IngestDoor>, tasks: Tasks) -> service::IngestServiceServer<Self> {
        service::IngestServiceServer::new(Self { door, tasks }).max_decoding_message_size(APPEND_FRAME_BYTES_MAX)
    }

    fn hello(&self, author: &Author) -> proto::ServerHello {
        let identity = self.door.identity();
        proto::ServerHello {
            protocol_version: PROTOCOL_VERSION,
            log_id: identity.log_id.as_bytes().to_vec().into(),
            log_epoch: identity.log_epoch.0,
            actor: author.actor.as_str().to_owned(),
            organization: author.organization.as_bytes().to_vec().into(),
            batch_bytes_max: BATCH_BYTES_MAX as u64,
        }
    }

    /// Frames of the core, as the client hears them.
    fn response(&self, author: &Author, response: frame::Response) -> proto::AppendResponse {
        use append_response::Frame;
        let log_epoch = self.door.identity().log_epoch.0;
        let frame = match response {
            frame::Response::Ready { handle, resume_from, log_epoch } => {
                Frame::WriterReady(proto::WriterReady { handle, resume_from_seq: resume_from, log_epoch: log_epoch.0 })
            }
            frame::Response::Ack { handle, seq, append } => Frame::Ack(proto::Ack {
                handle,
                seq,
                log_epoch,
                actor: author.actor.as_str().to_owned(),
                position: Some(append_to_proto(append)),
            }),
            frame::Response::Opened { handle, outcome } => Frame::Opened(opened_to_proto(handle, outcome)),
            frame::Response::Refused { handle, first, last, error } => Frame::Refused(proto::Refused {
                handle,
                first_seq: first,
                last_seq: last,
                error: Some(error.info()),
                message: error.message.into(),
            }),
            frame::Response::Drain { reconnect_after_ms } => Frame::Drain(proto::Drain { reconnect_after_ms }),
        };
        proto::AppendResponse { frame: Some(frame) }
    }
}

#[tonic::async_trait]
impl service::IngestService for IngestRpc {
    type AppendStream = ReceiverStream<Result<proto::AppendResponse, Status>>;

    async fn append(
        &self,
        request: Request<Streaming<proto::AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        let author = author(request.extensions())?;
        let (sender, receiver) = mpsc::channel(CONNECTION_FRAMES_MAX);
        let (rpc, frames) = (self.clone(), request.into_inner());
        self.tasks.spawn("append stream", Kind::Connection, async move {
            if let Err(error) = rpc.stream(author, frames, &sender).await {
                // The client reads the reason; a client that has gone needs none.
                let _ = sender.send(Err(error.status())).await;
            }
            Ok(())
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn append_once(
        &self,
        request: Request<proto::AppendOnceRequest>,
    ) -> Result<Response<proto::AppendOnceResponse>, Status> {
        let author = author(request.extensions())?;
        let proto::AppendOnceRequest { hello, writer, batch } = request.into_inner();
        check_hello(hello.as_ref())?;
        let open = open_from_proto(writer.ok_or_else(|| ApiError::invalid("writer", "is missing"))?)?;
        let batch = batch_from_proto(batch.ok_or_else(|| ApiError::invalid("batch", "is missing"))?);
        if batch.handle != open.handle {
            return Err(ApiError::invalid("batch.handle", "is not the writer's").into());
        }
        let (sender, mut receiver) = mpsc::channel(CONNECTION_FRAMES_MAX);
        let frames = [frame::Request::OpenWriter(open), frame::Request::Batch(batch)];
        let frames = futures_util::stream::iter(frames.map(Ok));
        let shutdown = corral_tasks::Shutdown::new();
        Connection::new(self.door.clone(), author.clone()).run(frames, sender, shutdown).await?;
        let mut answer =
            proto::AppendOnceResponse { hello: Some(self.hello(&author)), ..proto::AppendOnceResponse::default() };
        while let Some(response) = receiver.recv().await {
            if let frame::Response::Refused { error, .. } = response {
                return Err(error.into());
            }
            match self.response(&author, response).frame {
                Some(append_response::Frame::Ack(ack)) => answer.ack = Some(ack),
                Some(append_response::Frame::Opened(opened)) => answer.opened = Some(opened),
                _ => {}
            }
        }
        Ok(Response::new(answer))
    }
}

impl IngestRpc {
    async fn stream(
        &self,
        author: Author,
        mut frames: Streaming<proto::AppendRequest>,
        out: &mpsc::Sender<Result<proto::AppendResponse, Status>>,
    ) -> Result<(), ApiError> {
        let first = tokio::time::timeout(Duration::from_millis(HELLO_WAIT_MS_MAX), frames.next()).await;
        let first = first.map_err(|_| ApiError::invalid("hello", format!("did not come in {HELLO_WAIT_MS_MAX} ms")))?;
        let Some(first) = first else { return Ok(()) };
        match first.map_err(|status| ApiError::of_frame(&status, APPEND_FRAME_BYTES_MAX))?.frame {
            Some(append_request::Frame::Hello(hello)) => check_hello(Some(&hello))?,
            _ => return Err(ApiError::invalid("frame", "the first must be hello")),
        }
        let hello = append_response::Frame::Hello(self.hello(&author));
        if out.send(Ok(proto::AppendResponse { frame: Some(hello) })).await.is_err() {
            return Ok(());
        }
        let (sender, mut responses) = mpsc::channel(CONNECTION_FRAMES_MAX);
        let shutdown = self.tasks.shutdown(Kind::Connection);
        let run = Connection::new(self.door.clone(), author.clone()).run(requests(frames), sender, shutdown);
        let pass_on = async {
            while let Some(response) = responses.recv().await {
                if out.send(Ok(self.response(&author, response))).await.is_err() {
                    break;
                }
            }
            // Tells the connection that nobody listens.
            drop(responses);
        };
        let (end, ()) = tokio::join!(run, pass_on);
        end
    }
}

/// Frames of the wire as the core's own.
fn requests(frames: Streaming<proto::AppendRequest>) -> impl Stream<Item = Result<frame::Request, ApiError>> {
    frames.map(|frame| {
        let frame = frame.map_err(|status| ApiError::of_frame(&status, APPEND_FRAME_BYTES_MAX))?;
        match frame.frame {
            Some(append_request::Frame::Batch(batch)) => Ok(frame::Request::Batch(batch_from_proto(batch))),
            Some(append_request::Frame::OpenWriter(open)) => Ok(frame::Request::OpenWriter(open_from_proto(open)?)),
            Some(append_request::Frame::Heartbeat(beat)) => Ok(frame::Request::Heartbeat { handle: beat.handle }),
            Some(append_request::Frame::Hello(_)) => Err(ApiError::invalid("hello", "may only be the first frame")),
            None => Err(ApiError::invalid("frame", "is missing or of an unknown kind")),
        }
    })
}

fn author(extensions: &Extensions) -> Result<Author, ApiError> {
    let author = extensions.get::<Author>().cloned();
    author.ok_or_else(|| ApiError::new(ErrorKind::Unauthenticated, "a key is needed"))
}

fn check_hello(hello: Option<&proto::ClientHello>) -> Result<(), ApiError> {
    let hello = hello.ok_or_else(|| ApiError::invalid("hello", "is missing"))?;
    if hello.protocol_version != PROTOCOL_VERSION {
        let why = format!("is {}, this server speaks {PROTOCOL_VERSION}", hello.protocol_version);
        return Err(ApiError::unsupported("hello.protocol_version", why));
    }
    if hello.client.len() > NAME_BYTES_MAX {
        return Err(ApiError::invalid("hello.client", format!("must be at most {NAME_BYTES_MAX} bytes")));
    }
    Ok(())
}

fn open_from_proto(open: proto::OpenWriter) -> Result<frame::OpenWriter, ApiError> {
    let run = open.run_id.parse::<RunId>().map_err(|error| ApiError::invalid("run_id", error.reason))?;
    Ok(frame::OpenWriter {
        handle: open.handle,
        run,
        writer: WriterId::from_slice(&open.writer_id)?,
        epoch: open.writer_epoch,
        acked_seq: open.last_acked_seq,
        acked_log_epoch: LogEpoch(open.acked_log_epoch),
        acked_actor: open.acked_actor,
    })
}

fn batch_from_proto(batch: proto::AppendBatch) -> frame::Batch {
    let trace = batch.trace.unwrap_or_default();
    frame::Batch {
        handle: batch.handle,
        first: batch.first_seq,
        last: batch.last_seq,
        take: batch.take,
        client_time_us: batch.client_time_us,
        items: batch.items,
        trace: TraceContext { traceparent: trace.traceparent, tracestate: trace.tracestate },
    }
}

fn opened_to_proto(handle: u32, outcome: Outcome) -> proto::Opened {
    let opened = proto::Opened { handle, ..proto::Opened::default() };
    match outcome {
        Outcome::RunOpened { project, how, take, next_step, .. } => proto::Opened {
            opening: how as i32,
            take: take.0,
            next_step,
            project_id: project.as_bytes().to_vec().into(),
            ..opened
        },
        Outcome::RunRefused { why, .. } => proto::Opened { refusal: why as i32, ..opened },
        // Never the outcome of an opening; unspecified says "refused" without a reason.
        Outcome::ProjectName { .. } => opened,
    }
}
