//! Every route of the server, in one place: gRPC services, JSON, sessions, login, operations.

use std::sync::Arc;

use axum::Router;
use corral_ingest::IngestDoor;
use corral_ingest::rpc::IngestRpc;
use corral_push::{PushDoor, PushRpc};
use corral_query_service::{QueryRpc, Questions};
use corral_tasks::Tasks;
use corral_web::gate::Gate;
use corral_web::ops::Ops;
use corral_web::route::{Routes, Undeclared};
use corral_web::session::rpc::SessionRpc;
use corral_web::session::{Sessions, socket};
use corral_web::{api, login, ops};
use prost_reflect::DescriptorPool;
use tonic_health::server::HealthReporter;

use crate::admin::{self, Admin};

/// What requests reach, as far as the process has it.
pub(crate) struct Doors {
    pub(crate) admin: Option<Admin>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) ingest: Option<Arc<IngestDoor>>,
    /// A door too, for what another log had.
    pub(crate) push: Option<Arc<PushDoor>>,
    pub(crate) questions: Option<Questions>,
    pub(crate) sessions: Option<Sessions>,
    pub(crate) ops: Ops,
    pub(crate) tasks: Tasks,
}

#[derive(Debug, thiserror::Error)]
pub enum RoutesError {
    #[error(transparent)]
    Undeclared(#[from] Undeclared),
    #[error("the descriptors of the gRPC services cannot be read: {0}")]
    Descriptors(String),
}

/// All routes, each with its permission; and what tells gRPC clients whether the server is well.
pub(crate) async fn routes(doors: &Doors) -> Result<(Routes, HealthReporter), RoutesError> {
    let (health, health_service) = tonic_health::server::health_reporter();
    let mut services = tonic::service::Routes::new(health_service)
        .add_service(reflection().build_v1().map_err(descriptors)?)
        .add_service(reflection().build_v1alpha().map_err(descriptors)?);
    // Services that no role of this process has.
    let mut absent = Vec::new();
    match &doors.ingest {
        Some(ingest) => services = services.add_service(IngestRpc::service(ingest.clone(), doors.tasks.clone())),
        None => absent.push("/corral.v1.IngestService/"),
    }
    match &doors.push {
        Some(push) => services = services.add_service(PushRpc::service(push.clone())),
        None => absent.push("/corral.v1.PushService/"),
    }
    match &doors.questions {
        Some(questions) => services = services.add_service(QueryRpc::service(questions.clone())),
        None => absent.push("/corral.v1.QueryService/"),
    }
    match &doors.sessions {
        Some(sessions) => services = services.add_service(SessionRpc::service(sessions.clone())),
        None => absent.push("/corral.v1.SessionService/"),
    }
    let services: Router = services.into_axum_router();

    let mut routes = ops::routes(Routes::new(doors.gate.clone()), &doors.ops);
    if let Some(questions) = &doors.questions {
        routes = api::routes(routes, questions);
    }
    if let Some(admin) = &doors.admin {
        routes = admin::routes(routes, admin);
    }
    if let Some(sessions) = &doors.sessions {
        // Who signs in does so for a page.
        routes = login::routes(routes, &doors.gate);
        routes = socket::routes(routes, &doors.gate, sessions);
    }
    let mut methods = methods()?;
    methods.retain(|method| !absent.iter().any(|service| method.starts_with(service)));
    let routes = routes.grpc(services, &methods)?;
    health.set_service_status("", tonic_health::ServingStatus::Serving).await;
    Ok((routes, health))
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(corral_wire::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// Every method that the services have, by their descriptors: what a new one in a `.proto` adds is here by itself, and
/// without a permission the server does not start.
fn methods() -> Result<Vec<String>, RoutesError> {
    let sets = [
        corral_wire::FILE_DESCRIPTOR_SET,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    let mut methods = Vec::new();
    for set in sets {
        let pool = DescriptorPool::decode(set).map_err(descriptors)?;
        for service in pool.services() {
            methods.extend(service.methods().map(|method| format!("/{}/{}", service.full_name(), method.name())));
        }
    }
    Ok(methods)
}

fn descriptors(error: impl std::fmt::Display) -> RoutesError {
    RoutesError::Descriptors(error.to_string())
}

#[cfg(test)]
mod tests;
