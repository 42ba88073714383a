//! A page's live session over a WebSocket.

use bytes::Bytes;
use corral_wire::proto::{self, session_request, session_response};
use futures_util::{SinkExt as _, StreamExt as _};
use http::{Request, StatusCode};
use prost_reflect::prost::Message as _;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::http::ANSWER_WAIT;
use crate::{Browser, Sandbox};

pub struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// Upgrades with these headers beside the usual ones (which they replace); the status where that is refused.
    pub async fn upgrade(sandbox: &Sandbox, headers: &[(&'static str, &str)]) -> Result<Self, StatusCode> {
        let mut request: Request<()> =
            format!("ws://{}/session", sandbox.address()).into_client_request().expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header's text"));
        }
        let stream = TcpStream::connect(sandbox.address()).await.expect("a connection");
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status()),
            Err(error) => panic!("{error}"),
        }
    }

    /// As a browser on the server's own page does it.
    pub async fn of_browser(sandbox: &Sandbox, browser: &Browser) -> Self {
        let origin = format!("http://{}", sandbox.address());
        let mut socket =
            Self::upgrade(sandbox, &[("cookie", &browser.cookie), ("origin", &origin)]).await.expect("an upgrade");
        socket.hello(&browser.value).await;
        match socket.next().await {
            Some(session_response::Frame::Ready(_)) => socket,
            other => panic!("{other:?} is not ready"),
        }
    }

    pub async fn hello(&mut self, session_value: &str) {
        let hello = proto::SessionHello { protocol_version: 1, session_value: session_value.to_owned() };
        self.send(session_request::Frame::Hello(hello)).await;
    }

    pub async fn subscribe(&mut self, subscription: u32, query: proto::subscribe::Query) {
        let subscribe = proto::Subscribe { subscription, query: Some(query) };
        self.send(session_request::Frame::Subscribe(subscribe)).await;
    }

    pub async fn send(&mut self, frame: session_request::Frame) {
        self.send_bytes(proto::SessionRequest { frame: Some(frame) }.encode_to_vec()).await;
    }

    pub async fn send_bytes(&mut self, bytes: impl Into<Bytes>) {
        // A server that has closed says why in what it sent before.
        let _ = self.0.send(Message::Binary(bytes.into())).await;
    }

    pub async fn send_text(&mut self, text: &str) {
        let _ = self.0.send(Message::Text(text.into())).await;
    }

    /// The next frame that says something; `None`: the session has ended.
    pub async fn next(&mut self) -> Option<session_response::Frame> {
        let next = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Binary(bytes))) => {
                        let response = proto::SessionResponse::decode(bytes).expect("a frame of the protocol");
                        if !matches!(response.frame, Some(session_response::Frame::Mark(_))) {
                            return response.frame;
                        }
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    _ => return None,
                }
            }
        };
        tokio::time::timeout(ANSWER_WAIT, next).await.expect("a frame in time")
    }

    /// The next answer of a session that nothing goes wrong in.
    pub async fn answer(&mut self) -> proto::Answer {
        match self.next().await {
            Some(session_response::Frame::Answer(answer)) => answer,
            other => panic!("{other:?} is no answer"),
        }
    }
}
