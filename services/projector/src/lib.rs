//! The projector: one runner a log partition, supervised.

use std::sync::Arc;

use corral_domain::Partition;
use corral_projection::runner::{Handles, Runner, Status};
use corral_tasks::{Kind, Tasks};

/// Spawns a runner for each partition of the log; returns where each stands, by partition.
pub fn start(handles: &Handles, tasks: &Tasks) -> Vec<Arc<Status>> {
    let partitions = 0..handles.log.identity().partitions;
    partitions.map(|partition| start_one(handles, Partition(partition), tasks)).collect()
}

fn start_one(handles: &Handles, partition: Partition, tasks: &Tasks) -> Arc<Status> {
    let mut runner = Runner::new(handles.clone(), partition);
    let status = runner.status();
    let shutdown = tasks.shutdown(Kind::Projector);
    let stays = shutdown.clone();
    tasks.spawn(format!("projector {partition}"), Kind::Projector, async move {
        runner.run(shutdown).await?;
        // A stopped partition is served as it is; the others go on.
        stays.cancelled().await;
        Ok(())
    });
    status
}
