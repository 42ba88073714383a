//! Administration: making topics, reading their settings, trimming.
//!
//! The admin client of rdkafka serves no events of its connection, so a request of librdkafka for a bearer token would never
//! be heard: it is given one before each call instead.

use std::ffi::CString;
use std::time::Duration;

use corral_event_log::LogError;
use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::bindings::{rd_kafka_oauthbearer_set_token, rd_kafka_resp_err_t};
use rdkafka::client::OAuthToken;

use crate::context::Context;
use crate::error::log_error;
use crate::settings::KafkaSettings;
use crate::timing::ADMIN_MS_MAX;

pub(crate) struct Admin {
    client: AdminClient<Context>,
    wants_token: bool,
}

impl Admin {
    pub(crate) fn new(settings: &KafkaSettings, context: Context) -> Result<Self, LogError> {
        let wants_token = context.wants_token();
        let made = settings.client().create_with_context(context);
        let client = made.map_err(|error| log_error("no admin client could be made", &error))?;
        Ok(Self { client, wants_token })
    }

    /// The client, ready for a call.
    pub(crate) fn client(&self) -> Result<&AdminClient<Context>, LogError> {
        if self.wants_token {
            let told = |reason: String| LogError::Unavailable(format!("kafka.sasl.token_file: {reason}"));
            let token = self.client.inner().context().generate_oauth_token(None);
            give_token(&self.client, token.map_err(|error| told(error.to_string()))?).map_err(told)?;
        }
        Ok(&self.client)
    }
}

pub(crate) fn options() -> AdminOptions {
    let wait = Duration::from_millis(ADMIN_MS_MAX);
    AdminOptions::new().request_timeout(Some(wait)).operation_timeout(Some(wait))
}

#[allow(unsafe_code)]
fn give_token(client: &AdminClient<Context>, token: OAuthToken) -> Result<(), String> {
    let text = |text: String| CString::new(text).map_err(|error| error.to_string());
    let (value, principal) = (text(token.token)?, text(token.principal_name)?);
    let mut reason = [0_u8; 512];
    // SAFETY: the client outlives the call; both texts end in a zero and are copied by it; there are no extensions; what
    // it writes of a reason is bounded by the length it is given, and ends in a zero.
    let code = unsafe {
        rd_kafka_oauthbearer_set_token(
            client.inner().native_ptr(),
            value.as_ptr(),
            token.lifetime_ms,
            principal.as_ptr(),
            std::ptr::null_mut(),
            0,
            reason.as_mut_ptr().cast(),
            reason.len(),
        )
    };
    if code == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    Err(reason
        .split(|byte| *byte == 0)
        .next()
        .map(|said| String::from_utf8_lossy(said).into_owned())
        .unwrap_or_default())
}
