//! The questions of the query service as `POST /api/corral.v1.QueryService/METHOD` with proto3 JSON, for curl.

use axum::body::Body;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use axum::{Extension, body::Bytes};
use corral_access::{Permission, Principal};
use corral_domain::limits::HTTP_BODY_BYTES_MAX;
use corral_query_service::{Method, Questions, answer_json};
use corral_wire::ApiError;

use crate::failure::Failure;
use crate::route::{Call, Routes};

const METHODS: [(&str, Method); 4] = [
    ("/api/corral.v1.QueryService/GetHistory", Method::GetHistory),
    ("/api/corral.v1.QueryService/GetRun", Method::GetRun),
    ("/api/corral.v1.QueryService/ListProjects", Method::ListProjects),
    ("/api/corral.v1.QueryService/ListRuns", Method::ListRuns),
];

pub fn routes(routes: Routes, questions: &Questions) -> Routes {
    METHODS.into_iter().fold(routes, |routes, (path, method)| {
        let questions = questions.clone();
        routes.route(
            Call::Post,
            path,
            Permission::ReadRuns,
            async move |Extension(principal): Extension<Principal>,
                        headers: HeaderMap,
                        body: Result<Bytes, BytesRejection>| {
                let body = json_body(&headers, body)?;
                let text = answer_json(&questions, method, principal.organization, &body).await?;
                Ok::<_, Failure>(json(text))
            },
        )
    })
}

/// The body of a request that says it is JSON: a form, which any page may send anywhere, does not.
pub fn json_body(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Bytes, ApiError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
        return Err(ApiError::invalid("content-type", "must be application/json"));
    }
    if headers.get(CONTENT_ENCODING).is_some_and(|value| value != "identity") {
        return Err(ApiError::unsupported("content-encoding", "a body must not be compressed"));
    }
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large_frame(HTTP_BODY_BYTES_MAX),
        _ => ApiError::invalid("body", "cannot be read"),
    })
}

fn json(text: String) -> Response<Body> {
    let mut response = text.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
