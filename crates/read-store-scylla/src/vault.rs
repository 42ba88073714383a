//! The vault in a keyspace of its own: entries of one CQL partition under one version.
//!
//! A change is one conditional batch of that partition: applied whole, and only if the version is still what the process that
//! changes has seen, decided among all data centres (`SERIAL`). What was decided is what is read. A statement is sent once:
//! one that timed out may have been applied, and sent again would answer for what it has done itself.
//!
//! It is ground state: dropping the read store's keyspace leaves it alone, and it belongs into every backup.

use std::future::Future;

use corral_vault::{Entries, EntryChange, VaultError, VaultStorage};
use scylla::response::query_result::QueryResult;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::{SerialConsistency, Statement};
use scylla::value::{CqlValue, Row};
use tokio::runtime::Handle;

use crate::cluster::Cluster;
use crate::config::Replication;
use crate::schema::{SchemaError, has_keyspace};
use crate::statements::{VAULT_NAME, Vaults, create_keyspace};

/// The vault of a cluster's keyspace. Its calls block, wherever they are made.
pub struct ScyllaVault {
    cluster: Cluster,
    runtime: Handle,
}

impl ScyllaVault {
    /// Makes what is missing; a keyspace that is there keeps its replication.
    pub async fn apply(cluster: &Cluster, replication: &Replication) -> Result<(), SchemaError> {
        replication.check()?;
        if !has_keyspace(cluster).await? {
            cluster.once(create_keyspace(cluster.keyspace(), replication), ()).await?;
        }
        cluster.once(Vaults::Create.text(cluster.keyspace()), ()).await?;
        // Applied once only: version 0, nothing in it.
        cluster.once(Vaults::Init.text(cluster.keyspace()), (VAULT_NAME, 0_i64)).await?;
        Ok(())
    }

    /// The vault, if its keyspace is what [`ScyllaVault::apply`] makes. Must be called within a runtime of several threads.
    pub async fn open(cluster: Cluster) -> Result<Self, SchemaError> {
        let missing = || SchemaError::Missing { keyspace: cluster.keyspace().as_str().to_owned() };
        if !has_keyspace(&cluster).await? || !has_table(&cluster).await? {
            return Err(missing());
        }
        let vault = Self { cluster: cluster.clone(), runtime: Handle::current() };
        vault.versioned().await.map_err(|error| match error {
            VaultError::Unavailable(reason) => SchemaError::Store(corral_read_store::StoreError::Unavailable(reason)),
            _ => missing(),
        })?;
        Ok(vault)
    }

    async fn versioned(&self) -> Result<u64, VaultError> {
        let answer = self.cluster.serial_text(Vaults::Version.text(self.cluster.keyspace()), (VAULT_NAME,)).await;
        let rows = rows(answer)?;
        let row = rows.maybe_first_row::<(Option<i64>,)>().map_err(unreadable)?;
        let version =
            row.and_then(|(version,)| version).ok_or_else(|| VaultError::Entry("it has no version".to_owned()))?;
        u64::try_from(version).map_err(unreadable)
    }

    async fn loaded(&self) -> Result<(u64, Entries), VaultError> {
        let answer = self.cluster.serial_text(Vaults::Load.text(self.cluster.keyspace()), (VAULT_NAME,)).await;
        let rows = rows(answer)?;
        let (mut version, mut entries) = (0, Entries::new());
        for row in rows.rows::<(Option<String>, Option<Vec<u8>>, Option<i64>)>().map_err(unreadable)? {
            let (entry, value, of) = row.map_err(unreadable)?;
            version = of.unwrap_or_default();
            entries.extend(entry.zip(value));
        }
        Ok((u64::try_from(version).map_err(unreadable)?, entries))
    }

    async fn swapped(&self, from: u64, changes: &[EntryChange]) -> Result<bool, VaultError> {
        let of = |statement: Vaults| Statement::new(statement.text(self.cluster.keyspace()));
        let mut batch = Batch::new(BatchType::Unlogged);
        batch.append_statement(of(Vaults::Raise));
        let number = |number: u64| CqlValue::BigInt(i64::try_from(number).unwrap_or(i64::MAX));
        let name = || CqlValue::Text(VAULT_NAME.to_owned());
        let mut values = vec![vec![number(from + 1), name(), number(from)]];
        for (entry, value) in changes {
            let entry = CqlValue::Text(entry.clone());
            values.push(match value {
                Some(value) => vec![name(), entry, CqlValue::Blob(value.clone())],
                None => vec![name(), entry],
            });
            batch.append_statement(of(if value.is_some() { Vaults::Put } else { Vaults::Delete }));
        }
        batch.set_is_idempotent(false);
        batch.set_consistency(self.cluster.consistency());
        batch.set_serial_consistency(Some(SerialConsistency::Serial));
        let answer = self.cluster.session().batch(&batch, &values).await.map_err(unavailable)?;
        let rows = answer.into_rows_result().map_err(unreadable)?;
        // The engines differ in what follows the first column, and in how many rows there are.
        let row = rows.rows::<Row>().map_err(unreadable)?.next().transpose().map_err(unreadable)?;
        match row.and_then(|row| row.columns.into_iter().next().flatten()) {
            Some(CqlValue::Boolean(applied)) => Ok(applied),
            _ => Err(VaultError::Unavailable("an answer that is neither yes nor no".to_owned())),
        }
    }

    /// Wherever it is called: on a thread of the runtime others take over what waits there.
    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        tokio::task::block_in_place(|| self.runtime.block_on(future))
    }
}

impl VaultStorage for ScyllaVault {
    fn version(&self) -> Result<u64, VaultError> {
        self.wait(self.versioned())
    }

    fn load(&self) -> Result<(u64, Entries), VaultError> {
        self.wait(self.loaded())
    }

    fn swap(&self, from: u64, changes: &[EntryChange]) -> Result<bool, VaultError> {
        self.wait(self.swapped(from, changes))
    }
}

async fn has_table(cluster: &Cluster) -> Result<bool, SchemaError> {
    let answer = cluster.shared(crate::statements::Shared::Tables, (cluster.keyspace().as_str(),)).await?;
    let rows = answer.into_rows_result().map_err(crate::failure::unreadable)?;
    let mut tables = rows.rows::<(&str,)>().map_err(crate::failure::unreadable)?;
    Ok(tables.any(|table| table.is_ok_and(|(table,)| table == VAULT_NAME)))
}

fn rows(
    answer: Result<QueryResult, corral_read_store::StoreError>,
) -> Result<scylla::response::query_result::QueryRowsResult, VaultError> {
    answer.map_err(unavailable)?.into_rows_result().map_err(unreadable)
}

fn unavailable(error: impl std::fmt::Display) -> VaultError {
    VaultError::Unavailable(error.to_string())
}

fn unreadable(error: impl std::fmt::Display) -> VaultError {
    VaultError::Entry(format!("an answer of the cluster: {error}"))
}
