//! In place of `cluster.rs` where it was left out of the build, as its clients need more to be built.

use std::sync::Arc;

use corral_access::Access;
use corral_tasks::{Clock, Tasks};

use super::{Backends, OpenError};
use crate::config::{ClusterPlaces, CqlPlace};

pub(super) async fn open(_: &ClusterPlaces, _: &Clock, _: &Tasks) -> Result<Backends, OpenError> {
    Err(OpenError::WithoutClusters)
}

pub(crate) async fn vault(_: &ClusterPlaces, _: &Clock, _: &Tasks) -> Result<Arc<Access>, OpenError> {
    Err(OpenError::WithoutClusters)
}

pub(crate) async fn schema_apply(_: &CqlPlace) -> Result<String, OpenError> {
    Err(OpenError::WithoutClusters)
}

pub(crate) async fn schema_check(_: &CqlPlace) -> Result<String, OpenError> {
    Err(OpenError::WithoutClusters)
}
