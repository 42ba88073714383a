//! Writes a load over one or more connections: opens the runs, registers their metrics, sends step groups within a
//! window, and waits until all of it has been acknowledged, which means durable.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use corral_wire::proto::{
    AppendRequest, AppendResponse, ClientHello, append_request, append_response,
    ingest_service_client::IngestServiceClient,
};
use futures_util::future::try_join_all;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    Failure, Target,
    plan::Plan,
    report,
    writer::{Tally, Writer},
};

const PROTOCOL_VERSION: u32 = 1;

pub(crate) async fn write(target: Target, plan: Plan) -> Result<(), Failure> {
    plan.check()?;
    let mut connections =
        try_join_all((0..plan.connections).map(|number| Connection::open(&target, &plan, number))).await?;
    let mut from = 0;
    for (stage, &to) in plan.steps.iter().enumerate() {
        let last = stage + 1 == plan.steps.len();
        if stage > 0 {
            next_line().await?;
        }
        let began = Instant::now();
        let tallies = try_join_all(connections.iter_mut().map(|one| one.advance(to, last))).await?;
        let mut whole = Tally::default();
        tallies.into_iter().for_each(|tally| whole.add(tally));
        say(&plan, (from, to), began.elapsed(), whole)?;
        from = to;
    }
    Ok(())
}

fn say(plan: &Plan, (from, to): (u64, u64), took: Duration, mut tally: Tally) -> Result<(), Failure> {
    let points = plan.points(from, to) * u64::from(plan.runs);
    report::print(&json!({
        "points": points,
        "steps": to,
        "seconds": took.as_secs_f64(),
        "points_per_second": points as f64 / took.as_secs_f64(),
        "batches": tally.waits.len(),
        "ack_frames": tally.ack_frames,
        "bytes": tally.bytes,
        "ack_p50_ms": report::at(&mut tally.waits, 0.5),
        "ack_p99_ms": report::at(&mut tally.waits, 0.99),
    }))
}

/// Waits for the driver's word.
async fn next_line() -> Result<(), Failure> {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    if read == 0 { Err("standard input ended between two stages".into()) } else { Ok(()) }
}

/// One stream with its writers; their handles are their places in the list.
struct Connection {
    requests: mpsc::Sender<AppendRequest>,
    responses: tonic::Streaming<AppendResponse>,
    writers: Vec<Writer>,
    opened: bool,
}

impl Connection {
    async fn open(target: &Target, plan: &Plan, number: u32) -> Result<Self, Failure> {
        let now_us = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?;
        let runs = (0..plan.runs).filter(|run| run % plan.connections == number);
        let writers: Vec<Writer> =
            runs.zip(0..).map(|(run, handle)| Writer::new(plan.clone(), run, handle, now_us)).collect();
        // Every frame that may be under way has a place, so that sending never waits while answers wait to be read.
        let places = writers.len() * (plan.window + 4) + 1;
        let (requests, queue) = mpsc::channel(places);
        requests.send(frame(append_request::Frame::Hello(hello()))).await?;
        let mut client = IngestServiceClient::new(target.channel().await?);
        let responses = client.append(target.authorize(ReceiverStream::new(queue))?).await?.into_inner();
        let mut this = Self { requests, responses, writers, opened: false };
        match this.next().await? {
            append_response::Frame::Hello(_) => Ok(this),
            other => Err(format!("expected a hello, got {other:?}").into()),
        }
    }

    /// Logs up to a step in every run; the last stage finishes them.
    async fn advance(&mut self, to: u64, last: bool) -> Result<Tally, Failure> {
        let mut tally = Tally::default();
        let opening = !std::mem::replace(&mut self.opened, true);
        for writer in &mut self.writers {
            writer.aim(to, last);
            if opening {
                for request in writer.open() {
                    self.requests.send(frame(request)).await?;
                }
            }
        }
        loop {
            for writer in &mut self.writers {
                while let Some(request) = writer.next_batch(&mut tally) {
                    self.requests.send(frame(request)).await?;
                }
            }
            if self.writers.iter().all(Writer::is_done) {
                return Ok(tally);
            }
            let answer = self.next().await?;
            self.take(answer, &mut tally)?;
        }
    }

    async fn next(&mut self) -> Result<append_response::Frame, Failure> {
        let answer = self.responses.message().await?.ok_or("the server ended the stream")?;
        answer.frame.ok_or_else(|| "an empty frame".into())
    }

    fn take(&mut self, answer: append_response::Frame, tally: &mut Tally) -> Result<(), Failure> {
        let (handle, answer) = match answer {
            append_response::Frame::WriterReady(ready) => (ready.handle, None),
            append_response::Frame::Opened(opened) if opened.opening != 0 => (opened.handle, Some(Ok(opened.take))),
            append_response::Frame::Ack(ack) => (ack.handle, Some(Err(ack.seq))),
            other => return Err(format!("the server answered {other:?}").into()),
        };
        let writer = self.writers.get_mut(handle as usize).ok_or("an unknown handle")?;
        match answer {
            Some(Ok(take)) => writer.opened(take),
            Some(Err(seq)) => writer.acknowledged(seq, tally),
            None => {}
        }
        Ok(())
    }
}

fn frame(frame: append_request::Frame) -> AppendRequest {
    AppendRequest { frame: Some(frame) }
}

fn hello() -> ClientHello {
    ClientHello {
        protocol_version: PROTOCOL_VERSION,
        client: concat!("corral-load/", env!("CARGO_PKG_VERSION")).to_owned(),
    }
}
