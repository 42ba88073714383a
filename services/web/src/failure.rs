//! An [`ApiError`] as an HTTP answer: JSON, never HTML, nothing of the request reflected.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::{body::Body, response::IntoResponse};
use corral_wire::ApiError;
use serde_json::json;

/// What a handler returns instead of an answer.
pub struct Failure(pub ApiError);

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response<Body> {
        let error = self.0;
        let mut body = json!({ "reason": error.reason, "message": error.message });
        let mut put = |key: &str, value: serde_json::Value| {
            body[key] = value;
        };
        if !error.field.is_empty() {
            put("field", json!(error.field));
        }
        // 64-bit integers are strings in proto3 JSON.
        for (key, value) in [("retryAfterMs", error.retry_after_ms), ("expectedSeq", error.expected_seq)] {
            if let Some(value) = value {
                put(key, json!(value.to_string()));
            }
        }
        let positions = error.position.0.iter();
        let positions: Vec<_> =
            positions.map(|(p, o)| json!({ "partition": p.0, "offset": o.0.to_string() })).collect();
        if !positions.is_empty() {
            put("position", json!(positions));
        }
        let mut response = Response::new(Body::from(format!("{body}\n")));
        *response.status_mut() = StatusCode::from_u16(error.kind.http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = error.retry_after_s() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
