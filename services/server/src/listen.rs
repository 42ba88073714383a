//! The port: HTTP/1.1, HTTP/2 and gRPC, WebSockets; bounds on what a peer may hold open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use corral_tasks::{Kind, TaskError, Tasks};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt as _;

use crate::front::Front;

/// Connections at a time; one more waits to be accepted.
const CONNECTIONS_MAX: usize = 4_096;
/// How long a peer may take to begin, and to send the head of a request.
const HEAD_WAIT_MS_MAX: u64 = 10_000;
/// How every connection of HTTP/2 begins, and how often a peer that has sent a part of it is looked at.
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PREFACE_LOOK_MS: u64 = 20;
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Calls of one HTTP/2 connection at a time.
const CALLS_PER_CONNECTION_MAX: u32 = 512;
/// A silent HTTP/2 peer is asked whether it lives, and dropped if it does not say so.
const PING_EVERY_MS: u64 = 20_000;
const PING_WAIT_MS_MAX: u64 = 20_000;
/// After an accept that failed (no file descriptors left): others may close meanwhile.
const ACCEPT_AGAIN_MS: u64 = 100;

/// Accepts until the doors are told to close.
pub(crate) fn start(listener: TcpListener, (front, router): (Front, Router), tasks: &Tasks) {
    let (own, told) = (tasks.clone(), tasks.shutdown(Kind::Door));
    tasks.spawn("listener", Kind::Door, async move {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let permit = tokio::select! {
                permit = room.clone().acquire_owned() => permit?,
                () = told.cancelled() => return Ok(()),
            };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = told.cancelled() => return Ok(()),
            };
            match accepted {
                Ok((stream, peer)) => spawn((stream, peer), (front.clone(), router.clone()), &own, permit),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(ACCEPT_AGAIN_MS)).await;
                }
            }
        }
    });
}

fn spawn(
    (stream, peer): (TcpStream, SocketAddr),
    (front, router): (Front, Router),
    tasks: &Tasks,
    permit: OwnedSemaphorePermit,
) {
    let told = tasks.shutdown(Kind::Connection);
    tasks.spawn("connection", Kind::Connection, async move {
        let _permit = permit;
        let wait = Duration::from_millis(HEAD_WAIT_MS_MAX);
        let begun = tokio::select! {
            begun = tokio::time::timeout(wait, begins(&stream)) => begun,
            () = told.cancelled() => return Ok(()),
        };
        if !matches!(begun, Ok(Ok(true))) {
            return Ok(());
        }
        stream.set_nodelay(true)?;
        let service = router.map_request(move |request: Request<_>| front.prepare(peer, request));
        let service = TowerToHyperService::new(service);
        let builder = builder();
        let mut connection = std::pin::pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
        let end = tokio::select! {
            end = connection.as_mut() => end,
            () = told.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = end {
            // A peer that broke off: its own affair, and any peer can cause it.
            tracing::debug!(%error, %peer, "a connection ended");
        }
        Ok::<(), TaskError>(())
    });
}

/// Returns once it is clear which HTTP the peer speaks (hyper would wait for that without a bound); false: it has gone.
async fn begins(stream: &TcpStream) -> std::io::Result<bool> {
    let mut start = [0; HTTP2_PREFACE.len()];
    loop {
        let start = &mut start[..];
        let count = stream.peek(start).await?;
        if count == 0 || count == start.len() || !HTTP2_PREFACE.starts_with(&start[..count]) {
            return Ok(count > 0);
        }
        // What has come stays readable, so nothing says when there is more.
        tokio::time::sleep(Duration::from_millis(PREFACE_LOOK_MS)).await;
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(HEAD_WAIT_MS_MAX))
        .max_buf_size(HEADER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(CALLS_PER_CONNECTION_MAX)
        .max_header_list_size(HEADER_BYTES_MAX as u32)
        .keep_alive_interval(Duration::from_millis(PING_EVERY_MS))
        .keep_alive_timeout(Duration::from_millis(PING_WAIT_MS_MAX));
    builder
}

#[cfg(test)]
mod tests;
