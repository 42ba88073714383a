//! The session of a browser: one binary WebSocket message a frame.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, ws::rejection::WebSocketUpgradeRejection};
use axum::http::{HeaderMap, Response};
use axum::response::IntoResponse;
use corral_access::{Denied, Permission, Principal};
use corral_domain::limits::{
    SESSION_FRAME_BYTES_MAX, SESSION_FRAMES_MAX, SESSION_PINGS_UNANSWERED_MAX, SESSION_SEND_MS_MAX,
};
use corral_tasks::{Kind, Tasks};
use corral_wire::codec::decode_request;
use corral_wire::{ApiError, proto};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use prost::Message as _;
use tokio::sync::mpsc;

use super::{Outgoing, Sessions, Visitor};
use crate::failure::Failure;
use crate::gate::{Gate, denied};
use crate::route::{Call, Routes};

/// `GET /session`. The gate checks host and origin, and a key where one came; a browser names its second half in hello,
/// and nothing but hello is answered before that.
pub fn routes(routes: Routes, gate: &Arc<Gate>, sessions: &Sessions) -> Routes {
    let (gate, sessions) = (gate.clone(), sessions.clone());
    routes.route(
        Call::Get,
        "/session",
        Permission::Public,
        async move |principal: Option<Extension<Principal>>,
                    headers: HeaderMap,
                    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>| {
            let visitor = match (principal, gate.cookie_of(&headers)) {
                (Some(Extension(principal)), _) => Visitor::Known(principal),
                (None, Some(cookie)) => Visitor::Cookie(cookie.to_owned()),
                (None, None) => return Failure(denied(Denied::Unauthenticated)).into_response(),
            };
            open(upgrade, visitor, sessions.clone())
        },
    )
}

fn open(
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    visitor: Visitor,
    sessions: Sessions,
) -> Response<Body> {
    match upgrade {
        Err(_) => Failure(ApiError::invalid("upgrade", "must be a WebSocket's")).into_response(),
        Ok(upgrade) => upgrade
            .max_message_size(SESSION_FRAME_BYTES_MAX)
            .max_frame_size(SESSION_FRAME_BYTES_MAX)
            .on_upgrade(move |socket| serve(socket, visitor, sessions))
            .into_response(),
    }
}

async fn serve(socket: WebSocket, visitor: Visitor, sessions: Sessions) {
    let (sink, stream) = socket.split();
    let tasks: Tasks = sessions.tasks.clone();
    let (done, finished) = tokio::sync::oneshot::channel();
    // Supervised, so that a drain waits for the end frame.
    tasks.spawn("session", Kind::Connection, async move {
        converse(sink, stream, (visitor, &sessions)).await;
        let _ = done.send(());
        Ok(())
    });
    let _ = finished.await;
}

/// Serves the session between the two halves of a socket.
pub(super) async fn converse<E>(
    sink: impl Sink<Message>,
    stream: impl Stream<Item = Result<Message, E>>,
    (visitor, sessions): (Visitor, &Sessions),
) {
    // Pings since the browser was last heard: a network that dies says nothing, and the kernel takes what is sent for long.
    let unanswered = AtomicU32::new(0);
    let incoming = pin!(stream.filter_map(|message| {
        unanswered.store(0, Ordering::Relaxed);
        std::future::ready(match message {
            Ok(Message::Binary(bytes)) => Some(decode_request::<proto::SessionRequest>(&bytes)),
            Ok(Message::Text(_)) => Some(Err(ApiError::invalid("frame", "must be binary"))),
            Ok(Message::Ping(_) | Message::Pong(_)) => None,
            Ok(Message::Close(_)) => Some(Err(ApiError::invalid("frame", "the session was closed"))),
            Err(_) => Some(Err(ApiError::too_large_frame(SESSION_FRAME_BYTES_MAX))),
        })
    }));
    let (out, frames) = mpsc::channel(SESSION_FRAMES_MAX);
    let mut write = pin!(write(sink, frames, &unanswered));
    tokio::select! {
        () = sessions.serve(visitor, incoming, out) => {
            // The last frames, unless the peer takes nothing any more.
            let _ = tokio::time::timeout(Duration::from_millis(SESSION_SEND_MS_MAX), write).await;
        }
        () = &mut write => {}
    }
}

/// Sends what the session says, until the session ends or the browser has gone.
async fn write(sink: impl Sink<Message>, mut frames: mpsc::Receiver<Outgoing>, unanswered: &AtomicU32) {
    let mut sink = pin!(sink);
    while let Some(outgoing) = frames.recv().await {
        let message = match outgoing {
            Outgoing::Frame(frame) => Message::Binary(frame.encode_to_vec().into()),
            Outgoing::Ping if unanswered.fetch_add(1, Ordering::Relaxed) >= SESSION_PINGS_UNANSWERED_MAX => return,
            Outgoing::Ping => Message::Ping(Bytes::new()),
        };
        if sink.send(message).await.is_err() {
            return;
        }
    }
    // Whoever has gone need not hear that this is the end.
    let _ = sink.close().await;
}
