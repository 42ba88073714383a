//! What librdkafka tells us beside its answers: errors of the connection, log lines, and its need of a token.
//!
//! A wrong password or authority is no answer to any call: librdkafka connects again for ever and says so only here. So
//! the first that it says is kept, with the setting that it is about, for whoever waits for a broker.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use corral_event_log::Clock;
use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::settings::{KafkaSettings, Sasl};
use crate::token;

/// Something that keeps us from the brokers, and the setting to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) setting: &'static str,
    pub(crate) reason: String,
    /// Waiting does not cure it.
    pub(crate) is_final: bool,
}

/// Shared by all clients of a log.
#[derive(Clone)]
pub(crate) struct Context {
    sasl: Option<Sasl>,
    has_tls: bool,
    clock: Clock,
    trouble: Arc<Mutex<Option<Trouble>>>,
}

impl Context {
    pub(crate) fn new(settings: &KafkaSettings, clock: Clock) -> Self {
        Self { sasl: settings.sasl.clone(), has_tls: settings.tls.is_some(), clock, trouble: Arc::default() }
    }

    /// The last trouble that was told; a final one stays.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn wants_token(&self) -> bool {
        matches!(self.sasl, Some(Sasl::OauthBearer { .. }))
    }

    fn keep(&self, trouble: Trouble) {
        let mut kept = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.as_ref().is_some_and(|kept| kept.is_final) {
            *kept = Some(trouble);
        }
    }

    fn tell(&self, code: RDKafkaErrorCode, reason: &str) -> Option<Trouble> {
        let login = self.sasl.as_ref().map_or("kafka.sasl", Sasl::setting);
        let (setting, is_final) = match code {
            RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => (login, true),
            RDKafkaErrorCode::UnsupportedSASLMechanism => ("kafka.sasl.mechanism", true),
            RDKafkaErrorCode::SSL if reason.contains("certificate") => ("kafka.tls.ca", true),
            RDKafkaErrorCode::SSL => ("kafka.tls", true),
            RDKafkaErrorCode::Resolve => ("kafka.brokers", false),
            RDKafkaErrorCode::BrokerTransportFailure => ("kafka.brokers", false),
            // No connection was refused and none held: a broker that wants TLS hangs up on a client that speaks without.
            RDKafkaErrorCode::AllBrokersDown if self.trouble().is_none() && !self.has_tls => {
                let reason = "the brokers take connections and hang up on us; do they want TLS?".to_owned();
                return Some(Trouble { setting: "kafka.tls", reason, is_final: false });
            }
            _ => return None,
        };
        Some(Trouble { setting, reason: reason.to_owned(), is_final })
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::warn!(facility, "{message}");
            }
            _ => tracing::debug!(facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "a broker is in trouble");
        if let Some(trouble) = error.rdkafka_error_code().and_then(|code| self.tell(code, reason)) {
            self.keep(trouble);
        }
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let Some(Sasl::OauthBearer { token_file }) = &self.sasl else {
            return Err("no token is configured".into());
        };
        let token = token::read(token_file, (self.clock)());
        if let Err(reason) = &token {
            self.keep(Trouble { setting: "kafka.sasl.token_file", reason: reason.clone(), is_final: true });
        }
        Ok(token?)
    }
}

impl ConsumerContext for Context {}

#[cfg(test)]
mod tests;
