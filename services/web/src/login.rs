//! Signing in: a login link's token becomes a session of two halves; and signing out.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::JsonRejection;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, Response};
use axum::response::IntoResponse;
use corral_access::{AccessError, Denied, NewSession, Permission, Principal};
use corral_domain::limits::SESSION_KEEP_US;
use corral_wire::ApiError;
use serde::Deserialize;
use serde_json::json;

use crate::failure::Failure;
use crate::gate::{Gate, denied};
use crate::route::{Call, Routes};

/// `POST /api/login`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoginRequest {
    token: String,
}

/// The routes of signing in and out, and the one that makes a link for who has a key.
pub fn routes(routes: Routes, gate: &Arc<Gate>) -> Routes {
    let (enter, leave, link) = (gate.clone(), gate.clone(), gate.clone());
    routes
        .route(
            Call::Post,
            "/api/login",
            Permission::Public,
            async move |body: Result<Json<LoginRequest>, JsonRejection>| login(&enter, body).await,
        )
        .route(Call::Post, "/api/logout", Permission::AnyKey, async move |headers: HeaderMap| logout(&leave, &headers))
        .route(
            Call::Post,
            "/api/login-token",
            Permission::Admin,
            async move |axum::Extension(principal): axum::Extension<Principal>| login_token(&link, principal),
        )
}

async fn login(gate: &Arc<Gate>, body: Result<Json<LoginRequest>, JsonRejection>) -> Result<Response<Body>, Failure> {
    let Json(request) = body.map_err(|error| ApiError::invalid("body", error.body_text()))?;
    let session = gate.access().login(&request.token).map_err(ours)?.map_err(|_| {
        // The one refusal that a person meets often says what to do.
        ApiError {
            message: "this login link was used or is too old: `corral login` prints another".into(),
            ..denied(Denied::Unauthenticated)
        }
    })?;
    let NewSession { cookie, value, actor, .. } = session;
    let body = json!({ "session_value": value.expose(), "actor": actor.as_str() });
    let mut response = Json(body).into_response();
    let header = cookie_header(gate, cookie.expose(), SESSION_KEEP_US / 1_000_000);
    response.headers_mut().insert(SET_COOKIE, header.map_err(|_| ApiError::internal())?);
    Ok(response)
}

fn logout(gate: &Gate, headers: &HeaderMap) -> Result<Response<Body>, Failure> {
    if let Some(cookie) = gate.cookie_of(headers) {
        gate.access().logout(cookie).map_err(ours)?;
    }
    let mut response = Json(json!({})).into_response();
    let header = cookie_header(gate, "", 0).map_err(|_| ApiError::internal())?;
    response.headers_mut().insert(SET_COOKIE, header);
    Ok(response)
}

fn login_token(gate: &Gate, principal: Principal) -> Result<Json<serde_json::Value>, Failure> {
    let token = gate.access().login_token(principal.actor).map_err(ours)?;
    Ok(Json(json!({ "token": token.expose() })))
}

fn cookie_header(
    gate: &Gate,
    value: &str,
    seconds: i64,
) -> Result<HeaderValue, axum::http::header::InvalidHeaderValue> {
    let secure = if gate.hosts().is_https() { "; Secure" } else { "" };
    let name = gate.cookie_name();
    HeaderValue::try_from(format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}"))
}

/// Our own failure: logged here, once; the caller learns that it failed, or to ask again.
fn ours(error: AccessError) -> ApiError {
    tracing::error!(%error, "the vault failed");
    if error.is_retryable() {
        return ApiError::unavailable("the vault cannot be reached");
    }
    ApiError::internal()
}
