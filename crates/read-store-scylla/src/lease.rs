//! The table of leases: who lives, and who has which partition of the log.
//!
//! Two partitions of CQL, one of members and one of the log's partitions, so that each is read with one request. Changes are
//! light-weight transactions, decided among all data centres (`SERIAL`), and both changes and reads meet in a quorum of the
//! whole cluster, whatever the read store's own level is: "its member is gone" must not depend on who asks where. They are a
//! few a second for each process, off every hot path.

use std::collections::BTreeMap;
use std::fmt::Display;

use async_trait::async_trait;
use corral_domain::Partition;
use corral_ownership::{Holding, LeaseTable, Member, MemberId, TableError};
use scylla::serialize::row::SerializeRow;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency, SerialConsistency};
use scylla::value::{CqlValue, Row};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::cluster::Cluster;
use crate::statements::Leases as Of;

/// The leases of a keyspace, whose schema must be there.
pub struct ScyllaLeases {
    cluster: Cluster,
    scope: String,
    prepared: [OnceCell<PreparedStatement>; Of::ALL.len()],
}

impl ScyllaLeases {
    /// `scope` is the key of both partitions of CQL: the role that shares the log's partitions out.
    pub fn new(cluster: Cluster, scope: impl Into<String>) -> Self {
        Self { cluster, scope: scope.into(), prepared: std::array::from_fn(|_| OnceCell::new()) }
    }

    async fn prepared(&self, of: Of) -> Result<&PreparedStatement, TableError> {
        let prepare = || async {
            let text = of.text(self.cluster.keyspace());
            let mut prepared = self.cluster.session().prepare(text).await.map_err(failed)?;
            // Sent again, a change could answer for what it has done itself.
            prepared.set_is_idempotent(of.is_read());
            prepared.set_consistency(Consistency::Quorum);
            prepared.set_serial_consistency(Some(SerialConsistency::Serial));
            Ok(prepared)
        };
        self.prepared[of as usize].get_or_try_init(prepare).await
    }

    /// Whether the condition held.
    async fn change(&self, of: Of, values: impl SerializeRow) -> Result<bool, TableError> {
        let prepared = self.prepared(of).await?;
        let answer = self.cluster.session().execute_unpaged(prepared, values).await.map_err(failed)?;
        let rows = answer.into_rows_result().map_err(failed)?;
        // The engines differ in what follows the first column.
        let row = rows.first_row::<Row>().map_err(failed)?;
        match row.columns.into_iter().next() {
            Some(Some(CqlValue::Boolean(held))) => Ok(held),
            other => Err(TableError(format!("an answer that is neither yes nor no: {other:?}"))),
        }
    }

    /// Every row, of however many pages.
    async fn rows<T>(&self, of: Of, row: impl Fn(Row) -> Result<T, TableError>) -> Result<Vec<T>, TableError> {
        let prepared = self.prepared(of).await?;
        let answer = self.cluster.session().execute_unpaged(prepared, (&self.scope,)).await.map_err(failed)?;
        let rows = answer.into_rows_result().map_err(failed)?;
        rows.rows::<Row>().map_err(failed)?.map(|found| row(found.map_err(failed)?)).collect()
    }
}

fn failed(error: impl Display) -> TableError {
    TableError(error.to_string())
}

/// A number of ours is never negative; one that is was not written by us.
fn unsigned(number: i64) -> Result<u64, TableError> {
    u64::try_from(number).map_err(|_| TableError(format!("the number {number} in a row of the leases")))
}

fn signed(number: u64) -> Result<i64, TableError> {
    i64::try_from(number).map_err(failed)
}

#[async_trait]
impl LeaseTable for ScyllaLeases {
    async fn partitions(&self) -> Result<BTreeMap<Partition, Holding>, TableError> {
        let row = |row: Row| match &row.columns[..] {
            [Some(CqlValue::Int(partition)), owner, Some(CqlValue::BigInt(term))] => {
                let partition = u16::try_from(*partition).map_err(failed)?;
                let owner = owner.as_ref().and_then(CqlValue::as_uuid).map(MemberId);
                Ok((Partition(partition), Holding { owner, term: unsigned(*term)? }))
            }
            other => Err(TableError(format!("a row of lease_partition: {other:?}"))),
        };
        Ok(self.rows(Of::Partitions, row).await?.into_iter().collect())
    }

    async fn members(&self) -> Result<Vec<Member>, TableError> {
        let row = |row: Row| match &row.columns[..] {
            [Some(CqlValue::Uuid(id)), Some(CqlValue::Text(address)), Some(CqlValue::BigInt(beat))] => {
                Ok(Member { id: MemberId(*id), address: address.clone(), beat: unsigned(*beat)? })
            }
            other => Err(TableError(format!("a row of lease_member: {other:?}"))),
        };
        self.rows(Of::Members, row).await
    }

    async fn join(&self, member: &Member) -> Result<bool, TableError> {
        self.change(Of::Join, (&self.scope, member.id.0, &member.address, signed(member.beat)?)).await
    }

    async fn beat(&self, id: MemberId, from: u64) -> Result<bool, TableError> {
        self.change(Of::Beat, (signed(from + 1)?, &self.scope, id.0, signed(from)?)).await
    }

    async fn remove(&self, id: MemberId, beat: Option<u64>) -> Result<bool, TableError> {
        match beat {
            Some(beat) => self.change(Of::Evict, (&self.scope, id.0, signed(beat)?)).await,
            None => self.change(Of::Leave, (&self.scope, id.0)).await,
        }
    }

    async fn change(&self, partition: Partition, term: u64, owner: Option<MemberId>) -> Result<bool, TableError> {
        let (owner, partition): (Option<Uuid>, i32) = (owner.map(|owner| owner.0), partition.0.into());
        match term {
            0 => self.change(Of::First, (&self.scope, partition, owner, 1_i64)).await,
            _ => self.change(Of::Change, (owner, signed(term + 1)?, &self.scope, partition, signed(term)?)).await,
        }
    }
}
