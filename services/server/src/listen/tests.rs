//! A peer that says nothing, or not enough, holds a connection for no longer than its bound. Time is the runtime's own: it
//! goes on when nobody has anything to do.

use std::collections::BTreeMap;
use std::ffi::OsString;

use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use super::*;
use crate::config::{Config, Sources};

const BEGIN: Duration = Duration::from_millis(HEAD_WAIT_MS_MAX);
const PING: Duration = Duration::from_millis(PING_EVERY_MS + PING_WAIT_MS_MAX);
/// Looks and timers of a millisecond: far less than any bound.
const NEAR: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(600);

/// A server, and a peer that has connected.
async fn peer(tasks: &Tasks) -> TcpStream {
    let env = |name: &str| (name == "HOME").then(|| OsString::from("/nowhere"));
    let config = Config::load(&Sources { env: &env, file: None, flags: BTreeMap::new() }).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    start(listener, (Front::new(&config), Router::new().route("/", get(async || "here"))), tasks);
    TcpStream::connect(address).await.unwrap()
}

/// How long the server leaves a peer that says this connected, and what the peer hears of it.
async fn held(said: &[u8]) -> (Duration, Vec<u8>) {
    let tasks = Tasks::new();
    let mut peer = peer(&tasks).await;
    peer.write_all(said).await.unwrap();
    let (began, mut heard) = (Instant::now(), Vec::new());
    // An end with bytes that nobody read is a reset, which is an end too.
    let _ = tokio::time::timeout(LONG, peer.read_to_end(&mut heard)).await.expect("it is let go");
    (began.elapsed(), heard)
}

#[track_caller]
fn near(took: Duration, bound: Duration) {
    assert!(took + NEAR > bound && took < bound + NEAR, "{took:?}, the bound is {bound:?}");
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_let_go() {
    let (took, heard) = held(b"").await;
    near(took, BEGIN);
    assert_eq!(heard, b"");
}

#[tokio::test(start_paused = true)]
async fn who_begins_http2_and_stops_is_let_go() {
    for end in [1, 3, HTTP2_PREFACE.len() - 1] {
        let (took, heard) = held(&HTTP2_PREFACE[..end]).await;
        near(took, BEGIN);
        assert_eq!(heard, b"", "{end} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn who_begins_a_head_and_stops_is_let_go() {
    let (took, _) = held(b"GET / HTTP/1.1\r\nhost: loc").await;
    near(took, BEGIN);
}

/// The server says its settings and asks whether the peer lives, and hears nothing.
#[tokio::test(start_paused = true)]
async fn who_speaks_http2_and_never_shakes_hands_is_let_go() {
    let (took, heard) = held(HTTP2_PREFACE).await;
    assert!(took < PING + NEAR, "{took:?}");
    assert!(!heard.is_empty(), "it was spoken to");
}

#[tokio::test(start_paused = true)]
async fn who_is_slow_within_the_bound_is_served() {
    let tasks = Tasks::new();
    let mut peer = peer(&tasks).await;
    // Its first byte and the rest of its head each come a moment before the bound.
    for part in [&b"G"[..], b"ET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"] {
        tokio::time::sleep(BEGIN - NEAR).await;
        peer.write_all(part).await.unwrap();
    }
    let mut heard = String::new();
    tokio::time::timeout(LONG, peer.read_to_string(&mut heard)).await.unwrap().unwrap();
    assert!(heard.starts_with("HTTP/1.1 200") && heard.ends_with("here"), "{heard}");
}
