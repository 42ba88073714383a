//! The builds of a keyspace: which there are, and which is served.
//!
//! A build is a set of tables with its number in their names; the served one is a number in the keyspace's `meta`, changed by
//! a light-weight transaction (off every hot path), so that two who switch at once do not both believe it.

use corral_domain::BuildId;
use corral_read_store::{StoreError, Table};

use crate::cluster::Cluster;
use crate::failure::unreadable;
use crate::schema;
use crate::statements::{META_BUILD, Owned, Shared, build_of};
use crate::store::ScyllaStore;

/// All builds of a cluster's keyspace.
#[derive(Clone)]
pub struct Builds {
    cluster: Cluster,
}

/// The build that is served.
pub struct Opened {
    pub store: ScyllaStore,
    pub build: BuildId,
}

impl Builds {
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster }
    }

    /// Opens the build that is served, if the schema is this program's. Makes nothing: that is `corral schema apply`, which
    /// may need rights that no role has.
    pub async fn open_current(&self) -> Result<Opened, StoreError> {
        let checked = schema::check(&self.cluster).await?;
        let store = ScyllaStore::new(self.cluster.clone(), checked.build);
        Ok(Opened { store, build: checked.build })
    }

    /// Opens a build that is there, served or not: to go on with a rebuild, or to look at an older one.
    pub async fn open(&self, build: BuildId) -> Result<ScyllaStore, StoreError> {
        schema::check_build(&self.cluster, build).await?;
        Ok(ScyllaStore::new(self.cluster.clone(), build))
    }

    /// The build that is served; `None` before the first. Others may switch at any time: look again now and then.
    pub async fn current(&self) -> Result<Option<BuildId>, StoreError> {
        schema::current(&self.cluster).await
    }

    /// Makes an empty build beside the others; what a rebuild that was cut short left under this number is removed.
    pub async fn create(&self, build: BuildId) -> Result<ScyllaStore, StoreError> {
        self.remove(build).await?;
        for table in Table::ALL {
            self.run(Owned::Create(table), build).await?;
        }
        self.run(Owned::CreateCheckpoint, build).await?;
        self.cluster.learn().await?;
        Ok(ScyllaStore::new(self.cluster.clone(), build))
    }

    /// From now on `build` is served.
    pub async fn switch(&self, build: BuildId) -> Result<(), StoreError> {
        let new = i64::from(build.0);
        let answer = match self.current().await? {
            None => self.cluster.shared(Shared::InitMeta, (META_BUILD, new)).await?,
            Some(served) if served == build => return Ok(()),
            Some(served) => self.cluster.shared(Shared::SwapMeta, (new, META_BUILD, i64::from(served.0))).await?,
        };
        let rows = answer.into_rows_result().map_err(unreadable)?;
        // The engines differ in what follows the first column.
        let row = rows.first_row::<scylla::value::Row>().map_err(unreadable)?;
        match row.columns.first() {
            Some(Some(scylla::value::CqlValue::Boolean(true))) => Ok(()),
            _ => Err(StoreError::Unavailable(format!("build {} was not switched to: another was meanwhile", build.0))),
        }
    }

    /// Drops the tables of a build that is not served.
    pub async fn remove(&self, build: BuildId) -> Result<(), StoreError> {
        if self.current().await? == Some(build) {
            return Err(StoreError::Invalid(format!("build {} is being served", build.0)));
        }
        if !self.list().await?.contains(&build) {
            return Ok(());
        }
        for table in Table::ALL {
            self.run(Owned::Drop(table), build).await?;
        }
        self.run(Owned::DropCheckpoint, build).await
    }

    /// The builds that have a table, lowest first.
    pub async fn list(&self) -> Result<Vec<BuildId>, StoreError> {
        let answer = self.cluster.shared(Shared::Tables, (self.cluster.keyspace().as_str(),)).await?;
        let rows = answer.into_rows_result().map_err(unreadable)?;
        let mut builds = Vec::new();
        for row in rows.rows::<(&str,)>().map_err(unreadable)? {
            builds.extend(build_of(row.map_err(unreadable)?.0));
        }
        builds.sort_unstable();
        builds.dedup();
        Ok(builds)
    }

    /// A number above every build's that is there, for the next rebuild.
    pub async fn unused(&self) -> Result<BuildId, StoreError> {
        let highest = self.list().await?.last().copied().max(self.current().await?);
        Ok(BuildId(highest.map_or(1, |build| build.0.saturating_add(1))))
    }

    async fn run(&self, of: Owned, build: BuildId) -> Result<(), StoreError> {
        self.cluster.once(of.text(self.cluster.keyspace(), build), ()).await.map(drop)
    }
}
