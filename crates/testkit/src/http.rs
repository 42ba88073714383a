//! HTTP by hand: one request a connection, and bytes that no client library would send.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// No answer takes longer, whatever was asked; longer than every bound of the server on what a peer may hold up.
pub const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// A gRPC answer's.
    pub trailers: HeaderMap,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// `grpc-status`, wherever the answer has it.
    pub fn grpc_status(&self) -> Option<i32> {
        let of = |headers: &HeaderMap| headers.get("grpc-status")?.to_str().ok()?.parse().ok();
        let in_body = || {
            // gRPC-web puts trailers into the body, as text.
            let text = self.text();
            let (_, rest) = text.split_once("grpc-status:")?;
            rest.trim_start().split(['\r', '\n']).next()?.parse().ok()
        };
        of(&self.headers).or_else(|| of(&self.trailers)).or_else(in_body)
    }
}

/// Sends a request over HTTP/1.1. Its `Host` is the server's unless it has one.
pub async fn send(address: SocketAddr, request: Request<Bytes>) -> Result<Answer, String> {
    tokio::time::timeout(ANSWER_WAIT, exchange(address, request, true))
        .await
        .map_err(|_| "no answer in time".to_owned())?
}

/// The same for what has lines to say all the while, as a rebuild on a busy engine, and its own bounds.
pub async fn send_patiently(address: SocketAddr, request: Request<Bytes>) -> Result<Answer, String> {
    exchange(address, request, true).await
}

/// The same without waiting for the answer's body, which may have no end.
pub async fn head(address: SocketAddr, request: Request<Bytes>) -> Result<Answer, String> {
    tokio::time::timeout(ANSWER_WAIT, exchange(address, request, false))
        .await
        .map_err(|_| "no answer in time".to_owned())?
}

async fn exchange(address: SocketAddr, mut request: Request<Bytes>, whole: bool) -> Result<Answer, String> {
    if !request.headers().contains_key("host") {
        let host = address.to_string().parse().map_err(|error| format!("{error}"))?;
        request.headers_mut().insert("host", host);
    }
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let exchange = async move {
        let response = sender.send_request(request.map(Full::new)).await.map_err(|error| error.to_string())?;
        let (parts, body) = response.into_parts();
        if !whole {
            let (status, headers) = (parts.status, parts.headers);
            return Ok(Answer { status, headers, body: Bytes::new(), trailers: HeaderMap::new() });
        }
        let body = body.collect().await.map_err(|error| error.to_string())?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes(), trailers })
    };
    // The connection ends when the exchange has dropped its sender; how it ends is of no interest then.
    tokio::join!(exchange, connection).0
}

/// Sends bytes and reads until the server closes; what it said.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> Result<String, String> {
    let talk = async {
        let mut stream = TcpStream::connect(address).await?;
        // A server that closes early is one that has answered.
        let _ = stream.write_all(bytes).await;
        let mut said = Vec::new();
        match stream.read_to_end(&mut said).await {
            Err(error) if said.is_empty() && error.kind() != std::io::ErrorKind::ConnectionReset => Err(error),
            _ => Ok(String::from_utf8_lossy(&said).into_owned()),
        }
    };
    let said = tokio::time::timeout(ANSWER_WAIT, talk).await.map_err(|_| "the server keeps it open".to_owned())?;
    said.map_err(|error: std::io::Error| error.to_string())
}

/// A message of gRPC and gRPC-web: a flag, its length, itself.
pub fn grpc_frame(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    frame
}
