//! A door that applies items as the deduplication stage would, and misbehaves as it is told.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use corral_domain::RunEntry;
use corral_event_codec::decode_run_items;
use corral_wire::proto;
use proto::append_request::Frame as In;
use proto::append_response::Frame as Out;
use proto::ingest_service_server::{IngestService, IngestServiceServer};
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

/// What the door does wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The connection ends after so many batches of it, the last one applied and not acknowledged.
    DropAfter(usize),
    /// Every n-th batch is answered "later".
    Overloaded(usize),
    /// After so many batches of a connection: `Drain`, acknowledging nothing more.
    Drain(usize),
    /// Items whose value is this are refused, with their index or without.
    Refuse { value: f64, index: bool },
    /// Openings are refused.
    RefuseOpening,
    /// So many handshakes are answered "later".
    LaterHandshakes(usize),
}

/// An item that was applied: (seq, step, values by metric id), or what else it was.
#[derive(Clone, Debug, PartialEq)]
pub enum Applied {
    Point { step: i64, values: Vec<(u32, f64)> },
    Gap(corral_domain::run::GapReason),
    Other(String),
}

#[derive(Default)]
pub struct State {
    pub log_epoch: u32,
    pub actor: String,
    pub next_step: i64,
    pub faults: Vec<Fault>,
    pub batches: usize,
    pub connections: usize,
    pub handshakes: usize,
    /// By run id and writer id: the highest seq applied, and all of it.
    pub writers: HashMap<(String, Vec<u8>), Writer>,
}

#[derive(Clone, Default, Debug)]
pub struct Writer {
    pub hw: u64,
    pub items: Vec<(u64, Applied)>,
    /// Batches that were sent again.
    pub again: usize,
}

#[derive(Clone)]
pub struct Door {
    pub state: Arc<Mutex<State>>,
    pub url: String,
    stop: Arc<tokio::sync::Notify>,
}

impl Door {
    /// Listens on `address` ("127.0.0.1:0": any port).
    pub fn start(address: &str, state: Arc<Mutex<State>>) -> Self {
        let listener = std::net::TcpListener::bind(address).expect("a port");
        listener.set_nonblocking(true).expect("non-blocking");
        let bound: SocketAddr = listener.local_addr().expect("an address");
        let stop = Arc::new(tokio::sync::Notify::new());
        let door = Self { state, url: format!("http://{bound}"), stop: stop.clone() };
        let service = Service(door.state.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                let serve = tonic::transport::Server::builder()
                    .add_service(IngestServiceServer::new(service))
                    .serve_with_incoming(TcpListenerStream::new(listener));
                tokio::select! {
                    end = serve => end.expect("serving"),
                    () = stop.notified() => {}
                }
            });
        });
        door
    }

    /// Like `kill -9`: connections end without a word.
    pub fn kill(&self) {
        self.stop.notify_one();
    }
}

struct Service(Arc<Mutex<State>>);

#[tonic::async_trait]
impl IngestService for Service {
    type AppendStream = ReceiverStream<Result<proto::AppendResponse, Status>>;

    async fn append(
        &self,
        request: Request<Streaming<proto::AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        let (out, answers) = mpsc::channel(1_024);
        let state = self.0.clone();
        let mut frames = request.into_inner();
        #[allow(clippy::disallowed_methods, reason = "a test's server")]
        tokio::spawn(async move {
            let mut connection = Connection::default();
            while let Ok(Some(frame)) = frames.message().await {
                let Some(frame) = frame.frame else { continue };
                let Some(answers) = connection.frame(&mut state.lock().expect("the state"), frame) else { return };
                for frame in answers {
                    if out.send(Ok(proto::AppendResponse { frame: Some(frame) })).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn append_once(
        &self,
        _: Request<proto::AppendOnceRequest>,
    ) -> Result<Response<proto::AppendOnceResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }
}

#[derive(Default)]
struct Connection {
    writers: HashMap<u32, ((String, Vec<u8>), u64)>,
    batches: usize,
    drained: bool,
}

impl Connection {
    /// `None`: the connection ends.
    fn frame(&mut self, state: &mut State, frame: In) -> Option<Vec<Out>> {
        match frame {
            In::Hello(_) => {
                state.connections += 1;
                Some(vec![Out::Hello(proto::ServerHello {
                    protocol_version: 1,
                    log_epoch: state.log_epoch,
                    actor: state.actor.clone(),
                    organization: vec![7; 16].into(),
                    ..Default::default()
                })])
            }
            In::OpenWriter(open) => {
                state.handshakes += 1;
                let later =
                    |fault: &Fault| matches!(fault, Fault::LaterHandshakes(count) if state.handshakes <= *count);
                if state.faults.iter().any(later) {
                    let error = Some(proto::ErrorInfo { retry_after_ms: Some(30), ..info("OVERLOADED") });
                    let (handle, message) = (open.handle, "later".to_owned());
                    return Some(vec![Out::Refused(proto::Refused { handle, error, message, ..Default::default() })]);
                }
                let key = (open.run_id, open.writer_id.to_vec());
                let known = state.writers.entry(key.clone()).or_default();
                let same_epoch = open.acked_log_epoch == state.log_epoch && open.last_acked_seq > 0;
                let acked = if same_epoch { open.last_acked_seq } else { known.hw };
                self.writers.insert(open.handle, (key, acked + 1));
                Some(vec![Out::WriterReady(proto::WriterReady {
                    handle: open.handle,
                    resume_from_seq: acked + 1,
                    log_epoch: state.log_epoch,
                })])
            }
            In::Batch(_) if self.drained => Some(Vec::new()),
            In::Batch(batch) => self.batch(state, batch),
            In::Heartbeat(_) => Some(Vec::new()),
        }
    }

    fn batch(&mut self, state: &mut State, batch: proto::AppendBatch) -> Option<Vec<Out>> {
        state.batches += 1;
        self.batches += 1;
        let (key, next) = self.writers.get_mut(&batch.handle).expect("an open writer");
        let refused = |error: proto::ErrorInfo| {
            let (handle, first_seq, last_seq) = (batch.handle, batch.first_seq, batch.last_seq);
            Some(vec![Out::Refused(proto::Refused {
                handle,
                first_seq,
                last_seq,
                error: Some(error),
                message: "no".into(),
            })])
        };
        if batch.first_seq > *next {
            return refused(proto::ErrorInfo { expected_seq: Some(*next), ..info("SEQ_GAP") });
        }
        let entries = decode_run_items(&Bytes::from(batch.items.to_vec())).expect("items");
        let applied = applied(batch.first_seq, &entries);
        assert_eq!(corral_event_codec::item_count(&entries), batch.last_seq - batch.first_seq + 1);
        assert_eq!(batch.take == 0, batch.first_seq == 1, "only item 1 has no take");
        if let Some(error) =
            state.faults.iter().find_map(|fault| refusal(fault, state.batches, batch.first_seq, &applied))
        {
            return refused(error);
        }
        if batch.first_seq == 1 && state.faults.iter().any(|fault| matches!(fault, Fault::RefuseOpening)) {
            let refusal = proto::Refusal::Exists as i32;
            return Some(vec![Out::Opened(proto::Opened { handle: batch.handle, refusal, ..Default::default() })]);
        }
        *next = (*next).max(batch.last_seq + 1);
        let writer = state.writers.entry(key.clone()).or_default();
        // The deduplication stage: what lies at or below hw is there already.
        writer.again += usize::from(batch.first_seq <= writer.hw);
        for (seq, last, item) in applied {
            if seq > writer.hw {
                assert_eq!(seq, writer.hw + 1, "applied in order");
                writer.items.push((seq, item));
                writer.hw = last;
            }
        }
        let over = |count: &usize| self.batches >= *count;
        if state.faults.iter().any(|fault| matches!(fault, Fault::DropAfter(count) if over(count))) {
            return None;
        }
        if state.faults.iter().any(|fault| matches!(fault, Fault::Drain(count) if over(count))) {
            self.drained = true;
            return Some(vec![Out::Drain(proto::Drain { reconnect_after_ms: 10 })]);
        }
        let mut answers = vec![Out::Ack(proto::Ack {
            handle: batch.handle,
            seq: batch.last_seq,
            log_epoch: state.log_epoch,
            actor: state.actor.clone(),
            position: Some(proto::PartitionOffset { partition: 1, offset: state.batches as u64 }),
        })];
        if batch.first_seq == 1 {
            let (opening, next_step) = (proto::Opening::Created as i32, state.next_step);
            answers.push(Out::Opened(proto::Opened {
                handle: batch.handle,
                opening,
                take: 1,
                next_step,
                ..Default::default()
            }));
        }
        Some(answers)
    }
}

fn info(reason: &str) -> proto::ErrorInfo {
    proto::ErrorInfo { reason: reason.to_owned(), ..Default::default() }
}

/// Why a fault refuses a batch, if it does.
fn refusal(fault: &Fault, batches: usize, first: u64, applied: &[(u64, u64, Applied)]) -> Option<proto::ErrorInfo> {
    match fault {
        Fault::Overloaded(every) if batches.is_multiple_of(*every) => {
            Some(proto::ErrorInfo { retry_after_ms: Some(5), ..info("OVERLOADED") })
        }
        Fault::Refuse { value, index } => {
            let bad = applied.iter().find(|(_, _, item)| {
                matches!(item, Applied::Point { values, .. } if values.iter().any(|(_, found)| found == value))
            });
            let item_index = index.then_some(bad?.0 - first);
            Some(proto::ErrorInfo { item_index, ..info("FIELD_INVALID") })
        }
        _ => None,
    }
}

/// (seq, last seq, what)
fn applied(first: u64, entries: &[RunEntry]) -> Vec<(u64, u64, Applied)> {
    let (mut seq, mut all) = (first, Vec::new());
    for entry in entries {
        match entry {
            RunEntry::Points(group) => {
                for row in 0..group.rows as usize {
                    let value = |column: &corral_domain::Column| (column.metric, column.value(row).as_f64());
                    let values = group.columns.iter().map(value).collect();
                    all.push((seq, seq, Applied::Point { step: group.step(row), values }));
                    seq += 1;
                }
            }
            RunEntry::Gap(gap) => {
                all.push((seq, gap.to, Applied::Gap(gap.why)));
                seq = gap.to + 1;
            }
            other => {
                let name = format!("{other:?}").chars().take_while(|char| char.is_alphanumeric()).collect();
                all.push((seq, seq, Applied::Other(name)));
                seq += 1;
            }
        }
    }
    all
}
