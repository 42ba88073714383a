//! A training program at the streaming door, with every frame in the test's hand.

use bytes::Bytes;
use corral_domain::RunEntry;
use corral_event_codec::{encode_run_items, item_count};
use corral_wire::proto::{self, append_request, append_response};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::http::ANSWER_WAIT;
use crate::sandbox::Ingest;

/// Frames that wait to be sent; a test never has more in flight.
const FRAMES_MAX: usize = 4_096;

/// One append stream.
pub struct Stream {
    sender: mpsc::Sender<proto::AppendRequest>,
    answers: Streaming<proto::AppendResponse>,
}

impl Stream {
    /// A stream that has said nothing yet.
    pub async fn silent(mut door: Ingest) -> Result<Self, Status> {
        let (sender, receiver) = mpsc::channel(FRAMES_MAX);
        let answers = door.append(ReceiverStream::new(receiver)).await?.into_inner();
        Ok(Self { sender, answers })
    }

    /// A stream that has been welcomed.
    pub async fn open(door: Ingest) -> (Self, proto::ServerHello) {
        let mut stream = Self::silent(door).await.expect("a stream");
        let hello = proto::ClientHello { protocol_version: 1, client: "corral-testkit".to_owned() };
        stream.send(append_request::Frame::Hello(hello)).await;
        match stream.next().await {
            Ok(Some(append_response::Frame::Hello(hello))) => (stream, hello),
            other => panic!("{other:?} is no hello"),
        }
    }

    pub async fn send(&self, frame: append_request::Frame) {
        // A server that has ended the stream says why in its answer.
        let _ = self.sender.send(proto::AppendRequest { frame: Some(frame) }).await;
    }

    /// A frame of no kind.
    pub async fn send_nothing(&self) {
        let _ = self.sender.send(proto::AppendRequest { frame: None }).await;
    }

    /// The next frame; `None`: the server ended the stream.
    pub async fn next(&mut self) -> Result<Option<append_response::Frame>, Status> {
        let next = tokio::time::timeout(ANSWER_WAIT, self.answers.message()).await.expect("an answer in time");
        Ok(next?.and_then(|response| response.frame))
    }

    pub async fn open_writer(&mut self, handle: u32, run: &str, id: [u8; 16], acked: (u64, u32)) -> u64 {
        self.send(append_request::Frame::OpenWriter(proto::OpenWriter {
            handle,
            run_id: run.to_owned(),
            writer_id: Bytes::copy_from_slice(&id),
            writer_epoch: 1,
            last_acked_seq: acked.0,
            acked_log_epoch: acked.1,
            acked_actor: String::new(),
        }))
        .await;
        match self.next().await {
            Ok(Some(append_response::Frame::WriterReady(ready))) if ready.handle == handle => ready.resume_from_seq,
            other => panic!("{other:?} does not say that writer {handle} is ready"),
        }
    }

    pub async fn batch(&self, handle: u32, first: u64, take: u32, entries: &[RunEntry]) {
        self.send(append_request::Frame::Batch(proto::AppendBatch {
            handle,
            first_seq: first,
            last_seq: first + item_count(entries) - 1,
            take,
            client_time_us: 1,
            items: encode_run_items(entries),
            trace: None,
        }))
        .await;
    }

    /// Says that nothing more will come; what is answered still is.
    pub fn end(self) -> Streaming<proto::AppendResponse> {
        self.answers
    }
}
