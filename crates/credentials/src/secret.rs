//! A text that must not be printed.

/// A key, a token, half of a session. Has no `Debug` or `Display`, so that no log line and no error shows it by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for a header, a file of mode 0600, and the one time it is shown.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
