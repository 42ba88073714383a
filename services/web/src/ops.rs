//! What operators ask: whether the process lives, whether it is ready, and its figures.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use axum::response::IntoResponse;
use corral_access::Permission;
use corral_wire::ApiError;

use crate::failure::Failure;
use crate::route::{Call, Routes};

/// What the process says of itself. Asked on each request, so both are cheap and ask no dependency.
#[derive(Clone)]
pub struct Ops {
    /// Why the process is not ready; empty: it is.
    pub unready: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Its figures in Prometheus' text format.
    pub figures: Arc<dyn Fn() -> String + Send + Sync>,
}

pub fn routes(routes: Routes, ops: &Ops) -> Routes {
    let (ready, figures) = (ops.clone(), ops.clone());
    routes
        .route(Call::Get, "/livez", Permission::Public, async || text("text/plain; charset=utf-8", "ok\n".to_owned()))
        .route(Call::Get, "/readyz", Permission::Public, async move || match (ready.unready)().as_slice() {
            [] => text("text/plain; charset=utf-8", "ready\n".to_owned()),
            why => Failure(ApiError::unavailable(why.join("; "))).into_response(),
        })
        .route(Call::Get, "/metrics", Permission::AnyKey, async move || {
            text("text/plain; version=0.0.4; charset=utf-8", (figures.figures)())
        })
}

fn text(kind: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
