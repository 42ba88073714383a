//! Silence, on either side: a session says that it lives, and ends when its browser does not. Time is the test's own.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::ws::Message;
use corral_domain::LogEpoch;
use corral_domain::limits::SESSION_PINGS_UNANSWERED_MAX;
use corral_hub::Hub;
use corral_query::Options;
use corral_read_store::memory::MemoryStore;
use prost::Message as _;
use tokio_stream::wrappers::ReceiverStream;

use super::*;

const MARK: Duration = Duration::from_millis(SESSION_MARK_MS);
const PING: Duration = Duration::from_millis(SESSION_PING_MS);

/// A browser's end of a session.
struct Peer {
    says: mpsc::Sender<Result<Message, Infallible>>,
    hears: mpsc::Receiver<Message>,
    living: Arc<AtomicUsize>,
    began: Instant,
    _dir: tempfile::TempDir,
}

impl Peer {
    /// One that has said hello.
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let access = Arc::new(Access::open(dir.path(), Clock::system()).expect("access opens"));
        let mut key = String::new();
        let handed = access.first_start(|secret| {
            key = secret.expose().to_owned();
            Ok::<(), std::io::Error>(())
        });
        handed.expect("a first start").expect("the key is handed over");
        let principal = access.verify(&key).expect("the owner");
        let options = Options { partitions: 1, log_epoch: LogEpoch(0) };
        let engine = Engine::new(Arc::new(MemoryStore::new()), Hub::new(), Clock::system(), options);
        let (tasks, living) = (Tasks::new(), Arc::default());
        let sessions = Sessions { engine, access, tasks: tasks.clone(), clock: Clock::system(), living };
        let living = sessions.living.clone();
        let (says, said) = mpsc::channel(8);
        let (heard, hears) = mpsc::channel(8);
        tasks.spawn("session", Kind::Connection, async move {
            let sink = futures_util::sink::unfold(heard, async |heard: mpsc::Sender<Message>, message| {
                heard.send(message).await.map(|()| heard)
            });
            socket::converse(sink, ReceiverStream::new(said), (Visitor::Known(principal), &sessions)).await;
            Ok(())
        });
        let mut peer = Self { says, hears, living, began: Instant::now(), _dir: dir };
        let hello = proto::SessionHello { protocol_version: PROTOCOL_VERSION, session_value: String::new() };
        peer.request(session_request::Frame::Hello(hello)).await;
        assert!(
            matches!(peer.frame().await, Some(session_response::Frame::Ready(ready)) if ready.mark_ms == SESSION_MARK_MS)
        );
        peer
    }

    async fn request(&self, frame: session_request::Frame) {
        let bytes = proto::SessionRequest { frame: Some(frame) }.encode_to_vec();
        self.says.send(Ok(Message::Binary(bytes.into()))).await.expect("a session that lives");
    }

    /// The next frame, with pings answered; `None`: the session has ended.
    async fn frame(&mut self) -> Option<session_response::Frame> {
        loop {
            match self.hears.recv().await? {
                Message::Binary(bytes) => return proto::SessionResponse::decode(bytes).expect("a frame").frame,
                Message::Ping(_) => {
                    self.says.send(Ok(Message::Pong(Bytes::new()))).await.expect("a session that lives")
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_session_gives_a_mark_after_each_silence_of_its_own() {
    let mut peer = Peer::new().await;
    for n in 1..=3 {
        assert_eq!(peer.frame().await, Some(session_response::Frame::Mark(proto::SessionMark {})));
        assert_eq!(peer.began.elapsed(), MARK * n);
    }
    // Any frame says that the session lives: the mark waits for as long again.
    tokio::time::advance(MARK / 2).await;
    peer.request(session_request::Frame::Hello(proto::SessionHello::default())).await;
    assert!(matches!(peer.frame().await, Some(session_response::Frame::Failed(_))));
    let said = Instant::now();
    assert_eq!(peer.frame().await, Some(session_response::Frame::Mark(proto::SessionMark {})));
    assert_eq!(said.elapsed(), MARK);
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_answers_no_ping_is_dropped() {
    let mut peer = Peer::new().await;
    let mut pings = 0;
    while let Some(message) = peer.hears.recv().await {
        pings += u32::from(matches!(message, Message::Ping(_)));
        assert_eq!(peer.living.load(Ordering::Relaxed), 1);
    }
    assert_eq!(pings, SESSION_PINGS_UNANSWERED_MAX);
    assert_eq!(peer.began.elapsed(), PING * (SESSION_PINGS_UNANSWERED_MAX + 1));
    assert_eq!(peer.living.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_answers_stays() {
    let mut peer = Peer::new().await;
    while peer.began.elapsed() < PING * 60 {
        assert!(peer.frame().await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_takes_nothing_is_dropped_though_it_speaks() {
    let peer = Peer::new().await;
    while !peer.says.is_closed() {
        // Whether it is still heard does not matter.
        let _ = peer.says.try_send(Ok(Message::Pong(Bytes::new())));
        tokio::time::sleep(MARK).await;
        assert!(peer.began.elapsed() < Duration::from_millis(SESSION_SEND_MS_MAX) * 5, "it is held open");
    }
    assert!(peer.began.elapsed() >= Duration::from_millis(SESSION_SEND_MS_MAX));
}
