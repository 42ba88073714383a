//! A training program at the unary door: every call is acknowledged before the next.

use std::collections::HashMap;

use bytes::Bytes;
use corral_domain::run::{FinishState, RunOpened};
use corral_domain::{RunEntry, Value};
use corral_event_codec::{encode_run_items, item_count};
use corral_wire::proto;
use tonic::Status;

use crate::Sandbox;
use crate::items;
use crate::sandbox::Ingest;

/// One opening of one run.
pub struct Writer {
    door: Ingest,
    pub run: String,
    pub id: [u8; 16],
    /// What the projection decided of item 1.
    pub opened: proto::Opened,
    /// Of the next item.
    pub next: u64,
    pub take: u32,
    /// After the last acknowledged item.
    pub position: proto::PartitionOffset,
    log_epoch: u32,
    metrics: HashMap<String, u32>,
}

impl Writer {
    /// Opens a run in the project `p` that must be new.
    pub async fn create(sandbox: &Sandbox, run: &str) -> Self {
        let writer = Self::open(sandbox, run, items::opening("p")).await;
        assert_eq!(writer.opened.opening(), proto::Opening::Created, "{:?}", writer.opened);
        writer
    }

    pub async fn open(sandbox: &Sandbox, run: &str, opening: RunOpened) -> Self {
        Self::try_open(sandbox, run, opening).await.expect("the door takes item 1")
    }

    /// A writer that has said nothing yet.
    pub fn unopened(sandbox: &Sandbox, run: &str) -> Self {
        Self {
            door: sandbox.ingest(),
            run: run.to_owned(),
            id: rand::random(),
            opened: proto::Opened::default(),
            next: 1,
            take: 0,
            position: proto::PartitionOffset::default(),
            log_epoch: 0,
            metrics: HashMap::new(),
        }
    }

    /// A refused opening is an answer, not an error: see `opened`.
    pub async fn try_open(sandbox: &Sandbox, run: &str, opening: RunOpened) -> Result<Self, Status> {
        let mut writer = Self::unopened(sandbox, run);
        let answer = writer.try_send(&[RunEntry::Opened(Box::new(opening))]).await?;
        writer.opened = answer.opened.expect("item 1 has an outcome");
        // A refused writer's items would be kept out of every take.
        writer.take = writer.opened.take.max(1);
        Ok(writer)
    }

    /// Who sends what follows: another server, after a restart.
    pub fn moved_to(&mut self, sandbox: &Sandbox) {
        self.door = sandbox.ingest();
    }

    pub async fn send(&mut self, entries: &[RunEntry]) -> proto::Ack {
        self.try_send(entries).await.expect("the door takes the batch").ack.expect("an acknowledgement")
    }

    pub async fn try_send(&mut self, entries: &[RunEntry]) -> Result<proto::AppendOnceResponse, Status> {
        let last = self.next + item_count(entries) - 1;
        let answer = self.door.append_once(self.request(encode_run_items(entries), last)).await?.into_inner();
        let ack = answer.ack.as_ref().expect("what is taken is acknowledged");
        assert_eq!(ack.seq, last, "everything up to here is durable");
        self.position = ack.position.expect("a position");
        self.log_epoch = ack.log_epoch;
        self.next = last + 1;
        Ok(answer)
    }

    /// What the next call says.
    pub fn request(&self, payload: Bytes, last: u64) -> proto::AppendOnceRequest {
        proto::AppendOnceRequest {
            hello: Some(proto::ClientHello { protocol_version: 1, client: "corral-testkit".to_owned() }),
            writer: Some(proto::OpenWriter {
                handle: 1,
                run_id: self.run.clone(),
                writer_id: Bytes::copy_from_slice(&self.id),
                writer_epoch: 1,
                last_acked_seq: self.next - 1,
                acked_log_epoch: self.log_epoch,
                acked_actor: String::new(),
            }),
            batch: Some(proto::AppendBatch {
                handle: 1,
                first_seq: self.next,
                last_seq: last,
                take: self.take,
                client_time_us: 1,
                items: payload,
                trace: None,
            }),
        }
    }

    /// The writer's number of a metric, registered where it is new.
    pub async fn metric(&mut self, name: &str) -> u32 {
        if let Some(id) = self.metrics.get(name) {
            return *id;
        }
        let id = self.metrics.len() as u32;
        self.send(&[items::registered(id, name)]).await;
        self.metrics.insert(name.to_owned(), id);
        id
    }

    /// One `log()` call; its client time is the step in milliseconds.
    pub async fn log(&mut self, step: i64, values: &[(&str, Value)]) -> proto::Ack {
        let mut columns = Vec::new();
        for (name, value) in values {
            columns.push((self.metric(name).await, *value));
        }
        self.send(&[items::row(step, step.saturating_mul(1_000), &columns)]).await
    }

    /// A series, one `log()` call a value, in one batch.
    pub async fn series(&mut self, name: &str, points: &[(i64, Value)]) -> proto::Ack {
        let metric = self.metric(name).await;
        let rows =
            points.iter().map(|(step, value)| items::row(*step, step.saturating_mul(1_000), &[(metric, *value)]));
        let rows: Vec<RunEntry> = rows.collect();
        self.send(&rows).await
    }

    pub async fn finish(&mut self, state: FinishState, exit_code: Option<i32>, message: &str) -> proto::Ack {
        let entry = items::finished(state, exit_code, message, self.next);
        self.send(&[entry]).await
    }

    /// "At least all that I was told is durable."
    pub fn fresh(&self) -> Option<proto::Freshness> {
        Some(proto::Freshness { not_before: vec![self.position], as_of_us: None })
    }

    /// The run as it is after what this writer sent.
    pub async fn seen(&self, sandbox: &Sandbox) -> proto::GetRunResponse {
        sandbox.run(&self.run, self.fresh()).await.expect("the run")
    }

    /// The series of some metrics, as raw points.
    pub async fn raw(&self, sandbox: &Sandbox, metrics: &[&str]) -> Vec<proto::Series> {
        sandbox.history(self.history(metrics)).await.expect("the history").series
    }

    /// Asks for everything of some metrics.
    pub fn history(&self, metrics: &[&str]) -> proto::GetHistoryRequest {
        proto::GetHistoryRequest {
            freshness: self.fresh(),
            run_ids: vec![self.run.clone()],
            metrics: metrics.iter().map(|name| (*name).to_owned()).collect(),
            ..proto::GetHistoryRequest::default()
        }
    }
}
