//! One connection, from hello to its end.

use std::time::Duration;

use corral_wire::proto;
use corral_wire::proto::append_request::Frame as Out;
use corral_wire::proto::append_response::Frame as In;
use corral_wire::proto::ingest_service_client::IngestServiceClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::Shipper;
use super::backoff::Backoff;
use super::lane::Verdict;
use crate::connect::{Authorize, endpoint};
use crate::shared::Shared;

const PROTOCOL_VERSION: u32 = 1;
const HELLO_MS_MAX: u64 = 10_000;
/// Bytes that are sent and not acknowledged.
const WINDOW_BYTES_MAX: usize = 4 << 20;
/// What one writer may send before it is the next one's turn.
const TURN_BYTES_MAX: usize = 1 << 20;
/// Frames between this thread and the connection.
const FRAMES_MAX: usize = 64;
/// With nothing to be sent and nothing in flight, the connection is looked at so often.
const LOOK_EVERY_MS: u64 = 5_000;
/// After a `Drain`, what is in flight may still be acknowledged.
const DRAIN_MS_MAX: u64 = 2_000;

/// Where a key comes from.
const KEY_CURE: &str = "set CORRAL_API_KEY, or run on the machine and as the user of `corral serve`, whose first start \
                        writes one into the credentials file";

/// Why a connection ended.
pub(super) enum Ended {
    Stopped,
    /// There is nothing left to be sent.
    Idle,
    Drained {
        reconnect_after_ms: u64,
    },
    Lost(String),
}

struct Session {
    out: mpsc::Sender<proto::AppendRequest>,
    actor: String,
    window: usize,
    /// The server goes: nothing more is sent.
    drain: Option<(u64, u64)>,
}

impl Shipper {
    pub(super) async fn session(&mut self, backoff: &mut Backoff) -> Ended {
        for lane in &mut self.lanes {
            lane.disconnected();
        }
        let (mut session, mut frames) = match self.hello().await {
            Ok(both) => both,
            Err(why) => return Ended::Lost(why),
        };
        self.shared.set_trouble(None);
        loop {
            self.gather();
            if self.lanes.is_empty() {
                return Ended::Idle;
            }
            if self.shared.stopping() {
                return Ended::Stopped;
            }
            if let Some((reconnect_after_ms, until_ms)) = session.drain
                && (session.window == 0 || self.clock.monotonic_ms() >= until_ms)
            {
                return Ended::Drained { reconnect_after_ms };
            }
            let wait_ms = self.send(&mut session);
            tokio::select! {
                frame = frames.message() => match frame {
                    Ok(Some(frame)) => self.heard(&mut session, frame, backoff),
                    Ok(None) => return match session.drain {
                        Some((reconnect_after_ms, _)) => Ended::Drained { reconnect_after_ms },
                        None => Ended::Lost(format!("{}: the server closed the connection", self.settings.url)),
                    },
                    Err(status) => return Ended::Lost(self.explain(&status)),
                },
                () = self.shared.woken() => {}
                () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
            }
            self.shared.set_idle(false);
        }
    }

    async fn hello(&mut self) -> Result<(Session, Streaming<proto::AppendResponse>), String> {
        let key = self.settings.key_now();
        let stop = async {
            while !self.shared.stopping() {
                self.shared.woken().await;
            }
        };
        let work = async {
            let channel = endpoint(&self.settings)?.connect().await?;
            let mut client = IngestServiceClient::with_interceptor(channel, Authorize::new(key.as_ref()));
            let (out, requests) = mpsc::channel(FRAMES_MAX);
            let hello = proto::ClientHello { protocol_version: PROTOCOL_VERSION, client: self.settings.name.clone() };
            let _ = out.send(request(Out::Hello(hello))).await;
            let answer = client.append(ReceiverStream::new(requests)).await.map_err(|status| self.explain(&status))?;
            let mut frames = answer.into_inner();
            match frames.message().await.map_err(|status| self.explain(&status))?.and_then(|frame| frame.frame) {
                Some(In::Hello(hello)) => Ok((out, frames, hello)),
                _ => Err(format!("{}: the server did not say hello", self.settings.url)),
            }
        };
        let (out, frames, hello) = tokio::select! {
            done = tokio::time::timeout(Duration::from_millis(HELLO_MS_MAX), work) => {
                done.map_err(|_| format!("{}: no answer within {HELLO_MS_MAX} ms", self.settings.url))??
            }
            () = stop => return Err("stopped".to_owned()),
        };
        if hello.protocol_version != PROTOCOL_VERSION {
            return Err(format!(
                "the server speaks version {} of the protocol, not {PROTOCOL_VERSION}",
                hello.protocol_version
            ));
        }
        let organization: String = hello.organization.iter().map(|byte| format!("{byte:02x}")).collect();
        for spool in self.sources.identified(&organization, &hello.actor, &self.shared) {
            if std::sync::Arc::ptr_eq(&spool, self.sources.own()) {
                return Err(format!("the key is now {}'s, and what is spooled is somebody else's", hello.actor));
            }
            for lane in self.lanes.iter_mut().filter(|lane| std::sync::Arc::ptr_eq(lane.spool(), &spool)) {
                lane.let_go();
            }
        }
        Ok((Session { out, actor: hello.actor, window: 0, drain: None }, frames))
    }

    fn explain(&self, status: &Status) -> String {
        let url = &self.settings.url;
        match status.code() {
            Code::Unauthenticated => format!("{url}: no valid key; {KEY_CURE}"),
            _ => format!("{url}: {}", status.message()),
        }
    }

    /// Sends what may be sent; answers how long to wait if nothing happens.
    fn send(&mut self, session: &mut Session) -> u64 {
        let now = self.clock.monotonic_ms();
        if session.drain.is_some() {
            return 100;
        }
        let hurry = self.shared.hurry.load(std::sync::atomic::Ordering::Relaxed);
        let client_time_us = self.clock.now().0;
        let mut full = false;
        // Each goes first in turn, and takes a part of the window at most.
        if let Some(last) = self.lanes.len().checked_sub(1) {
            self.lanes.rotate_right(last.min(1));
        }
        for lane in &mut self.lanes {
            let window_max = WINDOW_BYTES_MAX.min(session.window + TURN_BYTES_MAX);
            while !full {
                let Ok(place) = session.out.try_reserve() else {
                    full = true;
                    break;
                };
                if lane.is_closed() {
                    if !lane.may_open(now) {
                        break;
                    }
                    let Some(open) = lane.open(&session.actor) else { break };
                    place.send(request(Out::OpenWriter(open)));
                    break;
                }
                if session.window >= window_max {
                    break;
                }
                if let Some((mut batch, bytes)) = lane.next(now, hurry) {
                    batch.client_time_us = client_time_us;
                    session.window += bytes;
                    place.send(request(Out::Batch(batch)));
                } else {
                    if lane.heartbeat(now) {
                        place.send(request(Out::Heartbeat(proto::Heartbeat { handle: lane.handle() })));
                    }
                    break;
                }
            }
        }
        if full || session.window >= WINDOW_BYTES_MAX {
            // The connection's acknowledgements, or room in its queue, come first.
            return if full { 1 } else { 1_000 };
        }
        self.wait_ms(now)
    }

    fn wait_ms(&self, now: u64) -> u64 {
        // From here on an append wakes this thread, unless a look at the spool sees it first.
        let waiting = |lane: &super::Lane| lane.has_more();
        self.shared.set_idle(true);
        if self.lanes.iter().any(waiting) {
            self.shared.set_idle(false);
        }
        let due = self.lanes.iter().filter_map(super::Lane::due_ms).min().unwrap_or(now + LOOK_EVERY_MS);
        due.min(self.next_orphans_ms).min(now + LOOK_EVERY_MS).saturating_sub(now).max(1)
    }

    fn heard(&mut self, session: &mut Session, frame: proto::AppendResponse, backoff: &mut Backoff) {
        let now = self.clock.monotonic_ms();
        let frame = match frame.frame {
            Some(In::Drain(drain)) => {
                session.drain = Some((drain.reconnect_after_ms, now + DRAIN_MS_MAX));
                return;
            }
            Some(In::Hello(_)) | None => return,
            Some(frame) => frame,
        };
        let handle = match &frame {
            In::WriterReady(ready) => ready.handle,
            In::Ack(ack) => ack.handle,
            In::Opened(opened) => opened.handle,
            In::Refused(refused) => refused.handle,
            In::Hello(_) | In::Drain(_) => return,
        };
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.handle() == handle) else { return };
        match frame {
            In::WriterReady(ready) => lane.ready(ready.resume_from_seq, ready.log_epoch),
            In::Ack(ack) => {
                backoff.succeeded();
                // Before anybody sees it as durable: who waited for that asks next, and must be answered with it.
                if let Some(position) = ack.position {
                    self.shared.reached(position.partition, position.offset);
                }
                session.window = session.window.saturating_sub(lane.acked(ack.seq, ack.log_epoch));
            }
            In::Opened(opened) => match (opening(opened.opening), refusal(opened.refusal)) {
                (Some(how), _) => lane.opening(how, opened.take, opened.next_step),
                (None, why) => {
                    warn_of_refused(&self.shared, &lane.run_id(), why);
                    session.window = session.window.saturating_sub(lane.refuse(why.to_owned()));
                }
            },
            In::Refused(refused) => {
                let error = refused.error.unwrap_or_default();
                let range = (refused.first_seq, refused.last_seq);
                let (verdict, bytes) = lane.refused(range, &error, &refused.message, now);
                session.window = session.window.saturating_sub(bytes);
                let run = lane.run_id();
                match verdict {
                    Verdict::Again => {}
                    Verdict::Replaced(1) => {
                        warn_of_refused(&self.shared, &run, &refused.message);
                        session.window = session.window.saturating_sub(lane.refuse(refused.message));
                    }
                    Verdict::Replaced(item) => {
                        let text = format!("run {run}: item {item} was refused: {}", refused.message);
                        self.shared.warn("item", &run, &text);
                    }
                    Verdict::Parked => {
                        self.shared.warn(
                            "parked",
                            &run,
                            &format!("run {run}: {}; it will be tried again", refused.message),
                        );
                    }
                }
            }
            In::Hello(_) | In::Drain(_) => {}
        }
        self.shared.moved();
    }
}

fn warn_of_refused(shared: &Shared, run: &str, why: &str) {
    shared.warn("refused", run, &format!("run {run} was refused: {why}; nothing of it is kept"));
}

fn request(frame: Out) -> proto::AppendRequest {
    proto::AppendRequest { frame: Some(frame) }
}

fn opening(number: i32) -> Option<&'static str> {
    match proto::Opening::try_from(number) {
        Ok(proto::Opening::Created) => Some("created"),
        Ok(proto::Opening::Joined) => Some("joined"),
        Ok(proto::Opening::Resumed) => Some("resumed"),
        Ok(proto::Opening::NewTake) => Some("new take"),
        _ => None,
    }
}

fn refusal(number: i32) -> &'static str {
    match proto::Refusal::try_from(number) {
        Ok(proto::Refusal::OtherProject) => "a run of another project has this id",
        Ok(proto::Refusal::Exists) => "it exists, and resume=\"never\" was asked for",
        Ok(proto::Refusal::Missing) => "it does not exist, and resume=\"must\" was asked for",
        _ => "for a reason that this client does not know",
    }
}
