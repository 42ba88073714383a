//! One append stream: frames in, appends in order, acknowledgements out. One task, so no locks.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use corral_domain::limits::{CONNECTION_WINDOW_BYTES_MAX, CONNECTION_WRITERS_MAX, DRAIN_RECONNECT_MS};
use corral_domain::run::RunOpened;
use corral_domain::{Append, CommandId, EventType, Outcome, Partition, ProjectId, RunEntry, TraceContext, WriterRange};
use corral_event_codec::encode_run_items;
use corral_event_log::{Appended, LogError};
use corral_tasks::Shutdown;
use corral_wire::{ApiError, ErrorKind};
use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;

use crate::check::check;
use crate::counters::add;
use crate::door::{Author, IngestDoor, RecordOf};
use crate::frame::{Batch, OpenWriter, Request, Response};
use crate::lane::{Lane, Pending, What};
use crate::opening::log_error;
use crate::writer::{Landed, Writer};

type Work = Pin<Box<dyn Future<Output = Done> + Send>>;

/// What the connection waited for.
enum Done {
    Appended { partition: Partition, group: Vec<Pending>, end: Result<Appended, LogError> },
    Resolved { batch: Box<Batch>, opened: Box<RunOpened>, project: Result<ProjectId, ApiError> },
    Decided { handle: u32, outcome: Result<Outcome, ApiError> },
}

pub struct Connection {
    door: Arc<IngestDoor>,
    author: Author,
    writers: HashMap<u32, Writer>,
    lanes: BTreeMap<Partition, Lane>,
    work: FuturesUnordered<Work>,
    /// Bytes taken that are not durable.
    window: usize,
    out: VecDeque<Response>,
}

impl Connection {
    pub fn new(door: Arc<IngestDoor>, author: Author) -> Self {
        door.counters.connections.fetch_add(1, Ordering::Relaxed);
        Self {
            door,
            author,
            writers: HashMap::new(),
            lanes: BTreeMap::new(),
            work: FuturesUnordered::new(),
            window: 0,
            out: VecDeque::new(),
        }
    }

    /// Runs until the client has ended and everything is answered. An error ends the stream: nothing that was not
    /// acknowledged may be relied on, and all of it may be sent again.
    pub async fn run<S>(mut self, frames: S, out: mpsc::Sender<Response>, shutdown: Shutdown) -> Result<(), ApiError>
    where
        S: Stream<Item = Result<Request, ApiError>> + Send,
    {
        let mut frames = std::pin::pin!(frames);
        let mut ended = false;
        while !(ended && self.is_idle()) {
            while let Some(response) = self.out.pop_front() {
                if out.send(response).await.is_err() {
                    // The client has gone: what is in flight lands or not, it will be sent again.
                    return Ok(());
                }
            }
            tokio::select! {
                Some(done) = self.work.next() => self.done(done).await?,
                frame = frames.next(), if !ended && self.window < CONNECTION_WINDOW_BYTES_MAX => match frame {
                    Some(frame) => self.request(frame?).await,
                    None => ended = true,
                },
                () = shutdown.cancelled(), if !ended => {
                    self.out.push_back(Response::Drain { reconnect_after_ms: DRAIN_RECONNECT_MS });
                    ended = true;
                }
                () = out.closed() => return Ok(()),
            }
            self.append_what_waits();
        }
        for response in std::mem::take(&mut self.out) {
            if out.send(response).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    fn is_idle(&self) -> bool {
        self.work.is_empty() && self.lanes.values().all(Lane::is_idle)
    }

    async fn request(&mut self, request: Request) {
        match request {
            Request::OpenWriter(open) => self.open(open).await,
            Request::Batch(batch) => {
                let (handle, first, last) = (batch.handle, batch.first, batch.last);
                if let Err(error) = self.batch(batch).await {
                    self.refuse(handle, first, last, error);
                }
            }
            Request::Heartbeat { handle } => {
                if let Err(error) = self.heartbeat(handle).await {
                    self.refuse(handle, 0, 0, error);
                }
            }
        }
    }

    fn refuse(&mut self, handle: u32, first: u64, last: u64, error: ApiError) {
        self.door.counters.add_refused(error.reason);
        self.out.push_back(Response::Refused { handle, first, last, error });
    }

    async fn open(&mut self, open: OpenWriter) {
        let handle = open.handle;
        if self.writers.contains_key(&handle) {
            return self.refuse(handle, 0, 0, ApiError::invalid("handle", "is in use in this stream"));
        }
        if self.writers.len() >= CONNECTION_WRITERS_MAX {
            let why = format!("a stream has at most {CONNECTION_WRITERS_MAX} writers");
            return self.refuse(handle, 0, 0, ApiError::invalid("handle", why));
        }
        match self.door.handshake(&self.author, &open).await {
            Ok(writer) => {
                let log_epoch = self.door.log.identity().log_epoch;
                self.out.push_back(Response::Ready { handle, resume_from: writer.next(), log_epoch });
                self.writers.insert(handle, writer);
            }
            Err(error) => self.refuse(handle, 0, 0, error),
        }
    }

    async fn batch(&mut self, batch: Batch) -> Result<(), ApiError> {
        let writer = self.writers.get_mut(&batch.handle).ok_or_else(|| ApiError::invalid("handle", "is not open"))?;
        writer.follows(batch.first)?;
        if writer.resolving {
            let error = ApiError::new(ErrorKind::Precondition, "first_seq: item 1 is still being opened");
            return Err(error.reason("OPENING_PENDING").retry_after_ms(100));
        }
        let checked = check(&batch)?;
        add(&self.door.counters.batches, 1);
        add(&self.door.counters.items, checked.items);
        add(&self.door.counters.bytes, batch.items.len() as u64);
        if let Some(opened) = checked.opened {
            writer.resolving = true;
            let (door, author) = (self.door.clone(), self.author.clone());
            self.work.push(Box::pin(async move {
                let project = door.project(&author, &opened.project_name).await;
                Done::Resolved { batch: Box::new(batch), opened, project }
            }));
            return Ok(());
        }
        self.enqueue(Batch { items: checked.payload, ..batch }, What::Items).await
    }

    async fn enqueue(&mut self, batch: Batch, what: What) -> Result<(), ApiError> {
        let writer = self.writers.get_mut(&batch.handle).ok_or_else(|| ApiError::invalid("handle", "is not open"))?;
        let command_id = match what {
            What::Opening(command) => Some(command),
            _ => None,
        };
        let range = WriterRange { writer: writer.writer, epoch: writer.epoch, first: batch.first, last: batch.last };
        let record = self.door.record(
            &self.author,
            RecordOf {
                stream: &writer.stream,
                kind: EventType::RunItems,
                client_time_us: batch.client_time_us,
                writer: Some(range),
                command_id,
                take: batch.take,
                trace: batch.trace,
                payload: batch.items,
            },
        )?;
        let permit = self.door.admit(record.len()).await?;
        writer.taken(batch.last);
        self.window += record.len();
        let partition = writer.partition;
        let pending =
            Pending { handle: batch.handle, first: batch.first, last: batch.last, what, record, _permit: permit };
        self.lanes.entry(partition).or_insert_with(|| Lane::new(partition)).push(pending);
        Ok(())
    }

    async fn heartbeat(&mut self, handle: u32) -> Result<(), ApiError> {
        let writer = self.writers.get(&handle).ok_or_else(|| ApiError::invalid("handle", "is not open"))?;
        let record = self.door.record(
            &self.author,
            RecordOf {
                stream: &writer.stream,
                kind: EventType::RunHeartbeat,
                client_time_us: self.door.clock.now().0,
                writer: None,
                command_id: None,
                take: 0,
                trace: TraceContext::default(),
                payload: bytes::Bytes::new(),
            },
        )?;
        // The next one is 15 s away and says the same: under load one is left out (and counted as overloaded).
        let Ok(permit) = self.door.admit(record.len()).await else { return Ok(()) };
        add(&self.door.counters.heartbeats, 1);
        self.window += record.len();
        let partition = writer.partition;
        let pending = Pending { handle, first: 0, last: 0, what: What::Heartbeat, record, _permit: permit };
        self.lanes.entry(partition).or_insert_with(|| Lane::new(partition)).push(pending);
        Ok(())
    }

    fn append_what_waits(&mut self) {
        for lane in self.lanes.values_mut() {
            let partition = lane.partition;
            let Some(group) = lane.next_append() else { continue };
            let log = self.door.log.clone();
            self.work.push(Box::pin(async move {
                let records = group.iter().map(|pending| pending.record.clone()).collect();
                let end = log.append(partition, records).await;
                Done::Appended { partition, group, end }
            }));
        }
    }

    async fn done(&mut self, done: Done) -> Result<(), ApiError> {
        match done {
            Done::Appended { partition, group, end } => {
                let places = end.map_err(|error| log_error(&error))?;
                self.appended(partition, group, places);
            }
            Done::Resolved { batch, opened, project } => self.resolved(*batch, opened, project).await,
            Done::Decided { handle, outcome } => match outcome {
                Ok(outcome) => {
                    add(&self.door.counters.openings, 1);
                    self.out.push_back(Response::Opened { handle, outcome });
                }
                Err(error) => self.refuse(handle, 1, 1, error),
            },
        }
        Ok(())
    }

    /// The records of one append lie at rising offsets.
    fn appended(&mut self, partition: Partition, group: Vec<Pending>, places: Appended) {
        let mut again = Vec::new();
        let mut acks: BTreeMap<u32, (u64, Append)> = BTreeMap::new();
        for (pending, offset) in group.into_iter().zip(places.offsets) {
            let at = Append { partition, offset };
            let Some(writer) = self.writers.get_mut(&pending.handle) else { continue };
            if pending.what != What::Heartbeat {
                match writer.acks.landed(pending.first, pending.last, at) {
                    Landed::Ack(seq) => acks.insert(pending.handle, (seq, at)),
                    Landed::Again => {
                        again.push(pending);
                        continue;
                    }
                };
            }
            self.window -= pending.record.len();
            if let What::Opening(command) = pending.what {
                let (door, stream, handle) = (self.door.clone(), writer.stream.clone(), pending.handle);
                self.work.push(Box::pin(async move {
                    Done::Decided { handle, outcome: door.outcome(&stream, command).await }
                }));
            }
        }
        add(&self.door.counters.acknowledgements, acks.len() as u64);
        add(&self.door.counters.appended_again, again.len() as u64);
        self.out.extend(acks.into_iter().map(|(handle, (seq, append))| Response::Ack { handle, seq, append }));
        if let Some(lane) = self.lanes.get_mut(&partition) {
            lane.append_ended();
            lane.push_again(again);
        }
    }

    /// Item 1 has its project: it may be appended now.
    async fn resolved(&mut self, batch: Batch, mut opened: Box<RunOpened>, project: Result<ProjectId, ApiError>) {
        let (handle, first, last) = (batch.handle, batch.first, batch.last);
        if let Some(writer) = self.writers.get_mut(&handle) {
            writer.resolving = false;
        }
        let command: CommandId = opened.command_id;
        let ready = match project {
            Ok(project) => {
                opened.project = Some(project);
                let items = encode_run_items(&[RunEntry::Opened(opened)]);
                self.enqueue(Batch { items, ..batch }, What::Opening(command)).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = ready {
            self.refuse(handle, first, last, error);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.door.counters.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
