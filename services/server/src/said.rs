//! What a long command says, line by line: from the running server over HTTP, or within one process.

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// Lines that wait for whoever listens.
const LINES_MAX: usize = 256;

/// A line of a command's answer, as JSON on a line of its own. The last one has a code: how the command's process exits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<u8>,
}

/// Says lines; that nobody listens any more changes nothing for who says them.
#[derive(Clone)]
pub(crate) struct Saying(mpsc::Sender<Line>);

pub(crate) fn channel() -> (Saying, mpsc::Receiver<Line>) {
    let (sender, receiver) = mpsc::channel(LINES_MAX);
    (Saying(sender), receiver)
}

impl Saying {
    /// False: nobody listens.
    pub(crate) async fn line(&self, text: String) -> bool {
        self.0.send(Line { text, code: None }).await.is_ok()
    }

    /// How far it is: left out where the listener is slow.
    pub(crate) fn progress(&self, text: String) {
        let _ = self.0.try_send(Line { text, code: None });
    }

    pub(crate) async fn end(&self, code: u8, text: String) {
        let _ = self.0.send(Line { text, code: Some(code) }).await;
    }
}
