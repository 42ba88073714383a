//! The live session: one ordered stream of answers for any number of subscriptions.
//!
//! The same frames over a WebSocket ([`socket`]) and a gRPC stream ([`rpc`]). A subscription is asked for its next answer
//! only when the frame before has been taken, so a slow reader gets fewer, newer answers, and one that takes nothing for
//! `SESSION_SEND_MS_MAX` is dropped. Rights are asked again every `SESSION_RECHECK_MS`. Neither side takes silence for peace: a
//! mark goes out after `SESSION_MARK_MS` without another frame, and a browser that answers no ping is dropped.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use corral_access::{Access, Permission, Principal, authorize};
use corral_domain::limits::{
    DRAIN_RECONNECT_MS, HELLO_WAIT_MS_MAX, SESSION_MARK_MS, SESSION_PING_MS, SESSION_RECHECK_MS, SESSION_SEND_MS_MAX,
    SESSION_SUBSCRIPTIONS_MAX,
};
use corral_query::{Engine, Query, Subscription};
use corral_tasks::{Clock, Kind, Tasks};
use corral_wire::proto::{self, session_request, session_response, subscribe};
use corral_wire::{ApiError, ErrorKind};
use futures_util::future::{AbortHandle, AbortRegistration, Abortable, Aborted};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, Stream, StreamExt, future::BoxFuture};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, sleep_until};

use crate::gate::denied;

mod answer;
pub mod rpc;
pub mod socket;
#[cfg(test)]
mod tests;

use answer::Sent;

/// What both sides speak.
pub const PROTOCOL_VERSION: u32 = 1;

/// What sessions stand on; a handle.
#[derive(Clone)]
pub struct Sessions {
    pub engine: Engine,
    pub access: Arc<Access>,
    pub tasks: Tasks,
    pub clock: Clock,
    /// Sessions that live; read by `/metrics`.
    pub living: Arc<AtomicUsize>,
}

/// Who comes: known by a key, or a browser that still has to name its second half.
pub enum Visitor {
    Known(Principal),
    Cookie(String),
}

/// What a session sends: a frame, or (for a WebSocket) a ping.
pub enum Outgoing {
    Frame(Box<proto::SessionResponse>),
    Ping,
}

type Next = Result<(u32, Subscribed, Result<Option<corral_query::Answer>, corral_query::QueryError>), Aborted>;

/// One living question and what its client has of it.
struct Subscribed {
    subscription: Subscription,
    sent: Sent,
}

struct Session<'a> {
    sessions: &'a Sessions,
    principal: Principal,
    out: mpsc::Sender<Outgoing>,
    /// When the last frame was handed over.
    said: Instant,
    living: HashMap<u32, AbortHandle>,
    waiting: FuturesUnordered<BoxFuture<'a, Next>>,
}

/// Counts a session for as long as it lives.
struct Living<'a>(&'a AtomicUsize);

impl<'a> Living<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Living<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The reader has gone or takes nothing.
struct Gone;

impl Sessions {
    /// Serves one session until either side ends it.
    pub async fn serve(
        &self,
        visitor: Visitor,
        incoming: impl Stream<Item = Result<proto::SessionRequest, ApiError>> + Unpin,
        out: mpsc::Sender<Outgoing>,
    ) {
        let mut incoming = incoming;
        let _living = Living::new(&self.living);
        let principal = match self.hello(visitor, &mut incoming).await {
            Ok(principal) => principal,
            Err(error) => {
                // Refusing is all there is to say; whoever has gone need not hear it.
                let _ = send(&out, failed(0, &error)).await;
                return;
            }
        };
        let session = Session {
            sessions: self,
            principal,
            out,
            said: Instant::now(),
            living: HashMap::new(),
            waiting: FuturesUnordered::new(),
        };
        // An error means that nobody listens any more.
        let _ = session.run(incoming).await;
    }

    async fn hello(
        &self,
        visitor: Visitor,
        incoming: &mut (impl Stream<Item = Result<proto::SessionRequest, ApiError>> + Unpin),
    ) -> Result<Principal, ApiError> {
        let wait = Duration::from_millis(HELLO_WAIT_MS_MAX);
        let first = tokio::time::timeout(wait, incoming.next()).await;
        let first = first.map_err(|_| ApiError::invalid("hello", format!("did not come in {HELLO_WAIT_MS_MAX} ms")))?;
        let frame = first.ok_or_else(|| ApiError::invalid("hello", "is missing"))??.frame;
        let Some(session_request::Frame::Hello(hello)) = frame else {
            return Err(ApiError::invalid("frame", "the first must be hello"));
        };
        if hello.protocol_version != PROTOCOL_VERSION {
            let why = format!("is {}, this server speaks {PROTOCOL_VERSION}", hello.protocol_version);
            return Err(ApiError::unsupported("hello.protocol_version", why));
        }
        let principal = match visitor {
            Visitor::Known(_) if !hello.session_value.is_empty() => {
                return Err(ApiError::invalid(
                    "hello.session_value",
                    "must be empty where a key came with the request",
                ));
            }
            Visitor::Known(principal) => principal,
            Visitor::Cookie(cookie) => self.access.session_now(&cookie, &hello.session_value).await.map_err(denied)?,
        };
        authorize(&principal, Permission::ReadRuns).map_err(denied)?;
        Ok(principal)
    }

    fn ready(&self, principal: &Principal) -> proto::SessionResponse {
        let organization = self.access.organization().map(|organization| organization.name).unwrap_or_default();
        frame(session_response::Frame::Ready(proto::SessionReady {
            protocol_version: PROTOCOL_VERSION,
            actor: principal.actor.as_str().to_owned(),
            organization_name: organization,
            now_us: self.clock.now().0,
            mark_ms: SESSION_MARK_MS,
        }))
    }
}

impl<'a> Session<'a> {
    async fn run(
        mut self,
        mut incoming: impl Stream<Item = Result<proto::SessionRequest, ApiError>> + Unpin,
    ) -> Result<(), Gone> {
        self.say(self.sessions.ready(&self.principal)).await?;
        let shutdown = self.sessions.tasks.shutdown(Kind::Connection);
        let mut recheck = tokio::time::interval(Duration::from_millis(SESSION_RECHECK_MS));
        recheck.tick().await;
        let mut ping = tokio::time::interval(Duration::from_millis(SESSION_PING_MS));
        // After a standstill of this process one ping comes due, not all that did not go out.
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.tick().await;
        loop {
            let quiet = self.said + Duration::from_millis(SESSION_MARK_MS);
            tokio::select! {
                () = shutdown.cancelled() => return self.end("the server goes", DRAIN_RECONNECT_MS).await,
                request = incoming.next() => match request {
                    None => return Ok(()),
                    Some(Ok(request)) => self.request(request).await?,
                    Some(Err(error)) => return self.say(failed(0, &error)).await,
                },
                Some(next) = self.waiting.next() => self.answer(next).await?,
                _ = recheck.tick() => {
                    match self.sessions.access.recheck(&self.principal) {
                        Ok(principal) if authorize(&principal, Permission::ReadRuns).is_ok() => self.principal = principal,
                        _ => return self.end("this session's rights have ended", 0).await,
                    }
                }
                _ = ping.tick() => push(&self.out, Outgoing::Ping).await?,
                () = sleep_until(quiet) => self.say(frame(session_response::Frame::Mark(proto::SessionMark {}))).await?,
            }
        }
    }

    async fn request(&mut self, request: proto::SessionRequest) -> Result<(), Gone> {
        match request.frame {
            Some(session_request::Frame::Subscribe(subscribe)) => {
                let id = subscribe.subscription;
                match self.subscribe(subscribe) {
                    Ok(()) => Ok(()),
                    Err(error) => self.say(failed(id, &error)).await,
                }
            }
            Some(session_request::Frame::Unsubscribe(unsubscribe)) => {
                // What has ended by itself may be ended again.
                if let Some(handle) = self.living.remove(&unsubscribe.subscription) {
                    handle.abort();
                }
                Ok(())
            }
            Some(session_request::Frame::Hello(_)) => {
                self.say(failed(0, &ApiError::invalid("hello", "may only be the first frame"))).await
            }
            None => self.say(failed(0, &ApiError::invalid("frame", "is missing or of an unknown kind"))).await,
        }
    }

    fn subscribe(&mut self, request: proto::Subscribe) -> Result<(), ApiError> {
        let id = request.subscription;
        if id == 0 {
            return Err(ApiError::invalid("subscription", "must be 1 or more"));
        }
        if self.living.contains_key(&id) {
            return Err(ApiError::invalid("subscription", format!("{id} lives already")));
        }
        if self.living.len() >= SESSION_SUBSCRIPTIONS_MAX {
            let why = format!("at most {SESSION_SUBSCRIPTIONS_MAX} live at a time");
            return Err(ApiError::new(ErrorKind::Overload, format!("subscription: {why}")));
        }
        let query = match request.query.ok_or_else(|| ApiError::invalid("query", "is missing"))? {
            subscribe::Query::Projects(query) => Query::Projects(corral_wire::projects_from_proto(query)?),
            subscribe::Query::Runs(query) => Query::Runs(corral_wire::runs_from_proto(query)?),
            subscribe::Query::Run(query) => Query::Run(corral_wire::run_from_proto(query)?),
            subscribe::Query::History(query) => Query::History(corral_wire::history_from_proto(query)?),
        };
        let subscription = self.sessions.engine.subscribe(self.principal.organization, query)?;
        let (handle, registration) = AbortHandle::new_pair();
        self.living.insert(id, handle);
        self.wait(id, Subscribed { subscription, sent: Sent::default() }, registration);
        Ok(())
    }

    fn wait(&mut self, id: u32, mut subscribed: Subscribed, registration: AbortRegistration) {
        let next = async move {
            tokio::time::sleep(subscribed.sent.rest()).await;
            let next = subscribed.subscription.next().await;
            (id, subscribed, next)
        };
        self.waiting.push(Abortable::new(next, registration).boxed());
    }

    async fn answer(&mut self, next: Next) -> Result<(), Gone> {
        // An aborted one was ended by its client.
        let Ok((id, mut subscribed, next)) = next else { return Ok(()) };
        match next {
            Ok(Some(answer)) => {
                let answer = subscribed.sent.answer(id, answer);
                self.say(frame(session_response::Frame::Answer(answer))).await?;
                let (handle, registration) = AbortHandle::new_pair();
                self.living.insert(id, handle);
                self.wait(id, subscribed, registration);
                Ok(())
            }
            // An answer as of a moment lives on, silently, until it is ended.
            Ok(None) => Ok(()),
            Err(error) => {
                self.living.remove(&id);
                self.say(failed(id, &error.into())).await
            }
        }
    }

    async fn end(&mut self, reason: &str, reconnect_after_ms: u64) -> Result<(), Gone> {
        let end = proto::SessionEnd { reason: reason.to_owned(), reconnect_after_ms };
        self.say(frame(session_response::Frame::End(end))).await
    }

    async fn say(&mut self, frame: proto::SessionResponse) -> Result<(), Gone> {
        send(&self.out, frame).await?;
        self.said = Instant::now();
        Ok(())
    }
}

/// Of one subscription, or (0) of the session's own frames.
fn failed(subscription: u32, error: &ApiError) -> proto::SessionResponse {
    frame(session_response::Frame::Failed(proto::SubscriptionFailed {
        subscription,
        code: error.kind.grpc() as i32 as u32,
        error: Some(error.info()),
        message: error.message.to_string(),
    }))
}

fn frame(frame: session_response::Frame) -> proto::SessionResponse {
    proto::SessionResponse { frame: Some(frame) }
}

async fn send(out: &mpsc::Sender<Outgoing>, frame: proto::SessionResponse) -> Result<(), Gone> {
    push(out, Outgoing::Frame(Box::new(frame))).await
}

async fn push(out: &mpsc::Sender<Outgoing>, outgoing: Outgoing) -> Result<(), Gone> {
    let sent = tokio::time::timeout(Duration::from_millis(SESSION_SEND_MS_MAX), out.send(outgoing)).await;
    sent.map_err(|_| Gone)?.map_err(|_| Gone)
}
