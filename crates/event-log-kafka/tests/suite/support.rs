//! Logs of a test's own.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use corral_domain::Micros;
use corral_event_log::{Clock, LogError};
use corral_event_log_kafka::{KafkaLog, KafkaSettings, Options};

/// A name of its own for each test's topic.
pub(crate) fn topic(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4())
}

#[allow(clippy::disallowed_methods)]
pub(crate) fn now() -> Micros {
    Micros(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros() as i64)
}

pub(crate) fn clock() -> Clock {
    Arc::new(now)
}

pub(crate) async fn open(settings: &KafkaSettings) -> Result<KafkaLog, LogError> {
    KafkaLog::open(settings.clone(), Options { clock: clock(), trace: None }).await
}
