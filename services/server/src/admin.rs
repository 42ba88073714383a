//! What only an admin may ask of the running server: a rebuild, and a run's events as the log has them.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Response};
use corral_access::{Permission, Principal};
use corral_domain::RunId;
use corral_tasks::{Kind, Tasks};
use corral_web::api::json_body;
use corral_web::failure::Failure;
use corral_web::route::{Call, Routes};
use corral_wire::ApiError;
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::log_show::LogShow;
use crate::rebuild::{RebuildError, Rebuilder};
use crate::said::{self, Line, Saying};

/// How a command ended.
pub(crate) const DONE: u8 = 0;
pub(crate) const FAILED: u8 = 1;
pub(crate) const DIFFERENT: u8 = 3;

pub(crate) const REBUILD: &str = "/api/rebuild";
pub(crate) const LOG_SHOW: &str = "/api/log-show";

/// `POST /api/rebuild`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RebuildRequest {
    /// Compare before switching.
    pub(crate) verify: bool,
}

/// `POST /api/log-show`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogShowRequest {
    pub(crate) run_id: String,
}

#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) rebuilder: Arc<Rebuilder>,
    pub(crate) log_show: LogShow,
    pub(crate) tasks: Tasks,
}

pub(crate) fn routes(routes: Routes, admin: &Admin) -> Routes {
    let (rebuild, show) = (admin.clone(), admin.clone());
    routes
        .route(
            Call::Post,
            REBUILD,
            Permission::Admin,
            async move |headers: HeaderMap, body: Result<Bytes, BytesRejection>| {
                let request: RebuildRequest = request(&headers, body)?;
                Ok::<_, Failure>(rebuild.rebuild(request.verify))
            },
        )
        .route(
            Call::Post,
            LOG_SHOW,
            Permission::Admin,
            async move |Extension(principal): Extension<Principal>,
                        headers: HeaderMap,
                        body: Result<Bytes, BytesRejection>| {
                let request: LogShowRequest = request(&headers, body)?;
                let run = request.run_id.parse::<RunId>();
                let run = run.map_err(|error| ApiError::invalid("run_id", error.reason))?;
                Ok::<_, Failure>(show.show(principal, run))
            },
        )
}

fn request<T: DeserializeOwned>(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<T, ApiError> {
    let body = json_body(headers, body)?;
    serde_json::from_slice(&body).map_err(|error| ApiError::invalid("body", error))
}

impl Admin {
    /// Goes on when its listener goes: half a rebuild would be of no use to anybody.
    fn rebuild(&self, verify: bool) -> Response<Body> {
        let (say, lines) = said::channel();
        let rebuilder = self.rebuilder.clone();
        self.tasks.spawn("rebuild", Kind::Session, async move {
            let done = rebuilder.run(verify, &say).await;
            tell(&say, done).await;
            Ok(())
        });
        stream(lines)
    }

    fn show(&self, principal: Principal, run: RunId) -> Response<Body> {
        let (say, lines) = said::channel();
        let (show, told) = (self.log_show.clone(), self.tasks.shutdown(Kind::Session));
        self.tasks.spawn("log show", Kind::Session, async move {
            tokio::select! {
                done = show.show(principal.organization, &run, &say) => match done {
                    Ok(text) => say.end(DONE, text).await,
                    Err(error) => say.end(FAILED, error.to_string()).await,
                },
                () = told.cancelled() => say.end(FAILED, "the server goes".to_owned()).await,
            }
            Ok(())
        });
        stream(lines)
    }
}

/// The last line of a rebuild.
pub(crate) async fn tell(say: &Saying, done: Result<(), RebuildError>) {
    match done {
        Ok(()) => say.end(DONE, "done".to_owned()).await,
        Err(error) => {
            tracing::error!(%error, "a rebuild ended without a new build");
            let code = if error.is_difference() { DIFFERENT } else { FAILED };
            say.end(code, error.to_string()).await;
        }
    }
}

fn stream(lines: mpsc::Receiver<Line>) -> Response<Body> {
    let lines = ReceiverStream::new(lines).map(|line| {
        // A text and a number always become JSON.
        let text = serde_json::to_string(&line).unwrap_or_default() + "\n";
        Ok::<_, Infallible>(Bytes::from(text))
    });
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}
