//! The only way to make a route: its method, path, permission and handler in one call; and gRPC's methods in one table.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::{Method, Request, Response};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, on};
use corral_access::Permission;
use corral_domain::limits::HTTP_BODY_BYTES_MAX;
use corral_wire::{ApiError, ErrorKind};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tower_http::catch_panic::CatchPanicLayer;

use crate::assets;
use crate::failure::Failure;
use crate::gate::Gate;

/// How long the body of a request may take to come.
const BODY_WAIT_MS_MAX: u64 = 20_000;

/// A route as it was declared: for the test that walks them all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Declared {
    pub call: Call,
    pub path: &'static str,
    pub permission: Permission,
}

/// How a declared route is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Get,
    Post,
    Grpc,
}

/// A gRPC method that no permission is declared for: the server does not start.
#[derive(Debug, thiserror::Error)]
#[error("the gRPC method {0} has no permission")]
pub struct Undeclared(String);

/// Routes under one gate.
pub struct Routes {
    gate: Arc<Gate>,
    router: Router,
    declared: Vec<Declared>,
}

/// Every gRPC method that is served, and over JSON those of the query service. A method that is not here is not there.
pub const GRPC: [(&str, Permission); 13] = [
    ("/corral.v1.IngestService/Append", Permission::AppendRuns),
    ("/corral.v1.IngestService/AppendOnce", Permission::AppendRuns),
    ("/corral.v1.PushService/PushRecords", Permission::Admin),
    ("/corral.v1.PushService/PushSurvey", Permission::Admin),
    ("/corral.v1.QueryService/GetHistory", Permission::ReadRuns),
    ("/corral.v1.QueryService/GetRun", Permission::ReadRuns),
    ("/corral.v1.QueryService/ListProjects", Permission::ReadRuns),
    ("/corral.v1.QueryService/ListRuns", Permission::ReadRuns),
    ("/corral.v1.SessionService/Session", Permission::ReadRuns),
    ("/grpc.health.v1.Health/Check", Permission::Public),
    ("/grpc.health.v1.Health/Watch", Permission::Public),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Permission::AnyKey),
    ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Permission::AnyKey),
];

fn grpc_permission(path: &str) -> Option<Permission> {
    GRPC.iter().find(|(method, _)| *method == path).map(|(_, permission)| *permission)
}

impl Routes {
    pub fn new(gate: Arc<Gate>) -> Self {
        Self { gate, router: Router::new(), declared: Vec::new() }
    }

    /// A route of HTTP.
    #[must_use]
    pub fn route<H, T>(mut self, call: Call, path: &'static str, permission: Permission, handler: H) -> Self
    where
        H: Handler<T, ()>,
        T: 'static,
    {
        let filter = if call == Call::Get { MethodFilter::GET } else { MethodFilter::POST };
        let gate = self.gate.clone();
        let guarded = on(filter, handler).layer(from_fn(move |request: Request<Body>, next: Next| {
            let gate = gate.clone();
            async move { pass(&gate, (call, permission), request, next).await }
        }));
        let other = |method: Method| async move {
            Failure(ApiError::new(ErrorKind::Method, format!("{method} is not allowed here")))
        };
        self.router = self.router.route(path, guarded.fallback(other));
        self.declared.push(Declared { call, path, permission });
        self
    }

    /// The gRPC services, for gRPC and gRPC-web. `methods` are all that the services have, by descriptor; each must be
    /// in [`GRPC`], and over HTTP/1 as gRPC-web each passes the same gate.
    pub fn grpc(mut self, services: Router, methods: &[String]) -> Result<Self, Undeclared> {
        for method in methods {
            let declared = GRPC.iter().find(|(path, _)| path == method);
            let (path, permission) = declared.ok_or_else(|| Undeclared(method.clone()))?;
            self.declared.push(Declared { call: Call::Grpc, path, permission: *permission });
        }
        let gate = self.gate.clone();
        let guarded = services.layer(tonic_web::GrpcWebLayer::new()).layer(from_fn(
            move |mut request: Request<Body>, next: Next| {
                let gate = gate.clone();
                async move {
                    let Some(permission) = grpc_permission(request.uri().path()) else {
                        return ApiError::new(ErrorKind::Method, "there is no such method").status().into_http();
                    };
                    match gate.admit(&mut request, permission).await {
                        Ok(()) => next.run(request).await,
                        Err(error) => error.status().into_http(),
                    }
                }
            },
        ));
        self.router = self.router.merge(guarded);
        Ok(self)
    }

    /// What was declared, sorted.
    pub fn declared(&self) -> Vec<Declared> {
        let mut declared = self.declared.clone();
        declared.sort();
        declared
    }

    /// Everything together: the page for what no route takes, and the headers of every answer.
    pub fn build(self) -> Router {
        let gate = self.gate.clone();
        let page = move |request: Request<Body>| {
            let gate = gate.clone();
            async move { page(&gate, request) }
        };
        let panics = CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            tracing::error!("a handler panicked");
            Failure(ApiError::internal()).into_response()
        });
        self.router.fallback(page).layer(DefaultBodyLimit::max(HTTP_BODY_BYTES_MAX)).layer(panics).layer(from_fn(
            |request: Request<Body>, next: Next| async move {
                let mut response = next.run(request).await;
                assets::harden(response.headers_mut());
                response
            },
        ))
    }
}

async fn pass(
    gate: &Gate,
    (call, permission): (Call, Permission),
    mut request: Request<Body>,
    next: Next,
) -> Response<Body> {
    if let Err(error) = gate.admit(&mut request, permission).await {
        return Failure(error).into_response();
    }
    if call != Call::Post {
        return next.run(request).await;
    }
    match whole(request).await {
        Ok(request) => next.run(request).await,
        Err(error) => Failure(error).into_response(),
    }
}

/// The request with its body in memory, before a handler begins: within its bound and within a time, or a peer that sends
/// nothing more would keep it open for ever.
async fn whole(request: Request<Body>) -> Result<Request<Body>, ApiError> {
    let (parts, body) = request.into_parts();
    if body.size_hint().lower() > HTTP_BODY_BYTES_MAX as u64 {
        return Err(ApiError::too_large_frame(HTTP_BODY_BYTES_MAX));
    }
    let wait = Duration::from_millis(BODY_WAIT_MS_MAX);
    let read = tokio::time::timeout(wait, Limited::new(body, HTTP_BODY_BYTES_MAX).collect()).await;
    let read = read.map_err(|_| ApiError::invalid("body", format!("did not come in {BODY_WAIT_MS_MAX} ms")))?;
    let body = read.map_err(|error| match error.is::<LengthLimitError>() {
        true => ApiError::too_large_frame(HTTP_BODY_BYTES_MAX),
        false => ApiError::invalid("body", "broke off"),
    })?;
    Ok(Request::from_parts(parts, Body::from(body.to_bytes())))
}

/// The page and its assets: open to all, though not under a foreign name.
fn page(gate: &Gate, request: Request<Body>) -> Response<Body> {
    if let Err(error) = gate.check_host(&request) {
        return Failure(error).into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let grpc =
            request.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
        let error = ApiError::new(ErrorKind::Method, "there is no such method");
        return if grpc { error.status().into_http() } else { Failure(error).into_response() };
    }
    let base = format!("{}/", gate.hosts().public_path());
    match request.uri().path().strip_prefix('/') {
        Some(path) if !path.starts_with("api/") => assets::answer(path, &base),
        _ => Failure(ApiError::new(ErrorKind::NotFound, "there is no such route")).into_response(),
    }
}

#[cfg(test)]
mod tests;
