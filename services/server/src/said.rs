//! What a long command says, line by line: from the running server over HTTP, or within one process.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// Lines that wait for whoever listens.
const LINES_MAX: usize = 256;
const NOTE_WAIT_MS_MAX: u64 = 500;

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

    /// Says it if the listener takes it soon: whoever only stops reading must not hold up what is said.
    pub(crate) async fn note(&self, text: String) {
        let _ = tokio::time::timeout(Duration::from_millis(NOTE_WAIT_MS_MAX), self.line(text)).await;
    }

    /// How far it is: left out where the listener is slow.
    pub(crate) fn progress(&self, text: String) {
        let _ = self.0.try_send(Line { text, code: None });
    }

    pub(crate) async fn end(&self, code: u8, text: String) {
        let _ = self.0.send(Line { text, code: Some(code) }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_stops_reading_holds_nothing_up() {
        let (say, mut lines) = channel();
        for number in 0..LINES_MAX + 1 {
            say.progress(number.to_string());
        }
        say.note("is left out".to_owned()).await;
        assert_eq!(lines.recv().await.map(|line| line.text), Some("0".to_owned()));
        say.note("is heard".to_owned()).await;
        let mut last = None;
        while let Ok(line) = lines.try_recv() {
            last = Some(line.text);
        }
        assert_eq!(last, Some("is heard".to_owned()));
        drop(lines);
        assert!(!say.line("nobody listens".to_owned()).await);
        say.end(0, "nobody listens".to_owned()).await;
    }
}
