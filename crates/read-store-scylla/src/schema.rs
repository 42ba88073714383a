//! The schema and its version: `corral schema apply` makes it, `corral schema check` and every start look at it.
//!
//! ```text
//! KEYSPACE.meta           numbers: `schema_version`, and `build`, the one that is served
//! KEYSPACE.lease_member   processes that share the log's partitions, and lease_partition, who has which
//! KEYSPACE.b1_state, …    the tables of build 1, one for each table of the read store, and b1_checkpoint
//! ```
//!
//! A version is of the layout of all of it. It is written last, so a run that was cut short is run again.

use std::collections::BTreeMap;

use corral_domain::BuildId;
use corral_read_store::{StoreError, Table};

use crate::builds::Builds;
use crate::cluster::Cluster;
use crate::config::{ConnectError, Replication};
use crate::failure::unreadable;
use crate::statements::{
    self, CHECKPOINT, Leases, MEMBER_TABLE, META_BUILD, META_TABLE, META_VERSION, PARTITION_TABLE, Shared, table_name,
};

/// The version that this program makes and reads.
pub const SCHEMA_VERSION: i64 = 1;

/// What is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    pub version: i64,
    /// The build that is served.
    pub build: BuildId,
}

#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("keyspace {keyspace} has no schema of Corral: run `corral schema apply`")]
    Missing { keyspace: String },
    #[error(
        "keyspace {keyspace} has schema version {found}, this Corral needs {SCHEMA_VERSION}: run `corral schema apply`"
    )]
    Older { keyspace: String, found: i64 },
    #[error(
        "keyspace {keyspace} has schema version {found}, newer than this Corral's {SCHEMA_VERSION}: use a newer Corral"
    )]
    Newer { keyspace: String, found: i64 },
    /// Each difference names its table.
    #[error("keyspace {keyspace} is not what schema version {SCHEMA_VERSION} says: {}", differences.join("; "))]
    Different { keyspace: String, differences: Vec<String> },
    #[error(transparent)]
    Settings(#[from] ConnectError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SchemaError> for StoreError {
    fn from(error: SchemaError) -> Self {
        match error {
            SchemaError::Store(error) => error,
            SchemaError::Settings(error) => error.into(),
            other => Self::Invalid(other.to_string()),
        }
    }
}

/// Makes what is missing, in whatever order it was cut short; a keyspace that is there keeps its replication. Run it from one
/// place at a time: nodes that are told of two changes at once may disagree for a while.
pub async fn apply(cluster: &Cluster, replication: &Replication) -> Result<Checked, SchemaError> {
    replication.check()?;
    if !has_keyspace(cluster).await? {
        cluster.once(statements::create_keyspace(cluster.keyspace(), replication), ()).await?;
    }
    cluster.shared(Shared::CreateMeta, ()).await?;
    for table in [Leases::CreateMembers, Leases::CreatePartitions] {
        cluster.once(table.text(cluster.keyspace()), ()).await?;
    }
    if let Some(found) = number(cluster, META_VERSION).await? {
        refuse(cluster, found)?;
    }
    let builds = Builds::new(cluster.clone());
    if builds.current().await?.is_none() {
        let build = builds.unused().await?;
        builds.create(build).await?;
        builds.switch(build).await?;
    }
    cluster.shared(Shared::InitMeta, (META_VERSION, SCHEMA_VERSION)).await?;
    check(cluster).await
}

/// Looks at version, tables and columns of the build that is served; changes nothing.
pub async fn check(cluster: &Cluster) -> Result<Checked, SchemaError> {
    let missing = || SchemaError::Missing { keyspace: cluster.keyspace().as_str().to_owned() };
    let columns = columns(cluster).await?;
    if !columns.contains_key(META_TABLE) {
        return Err(missing());
    }
    let version = number(cluster, META_VERSION).await?.ok_or_else(missing)?;
    refuse(cluster, version)?;
    let build = current(cluster).await?.ok_or_else(missing)?;
    agree(cluster, &columns, [leases(), tables(build)].concat())?;
    Ok(Checked { version, build })
}

/// Looks at the tables of one build.
pub(crate) async fn check_build(cluster: &Cluster, build: BuildId) -> Result<(), SchemaError> {
    agree(cluster, &columns(cluster).await?, tables(build))
}

fn agree(cluster: &Cluster, columns: &Columns, expect: Vec<Expected>) -> Result<(), SchemaError> {
    let differences = differences(columns, expect);
    match differences.is_empty() {
        true => Ok(()),
        false => Err(SchemaError::Different { keyspace: cluster.keyspace().as_str().to_owned(), differences }),
    }
}

/// The build that is served.
pub(crate) async fn current(cluster: &Cluster) -> Result<Option<BuildId>, StoreError> {
    let number = number(cluster, META_BUILD).await?;
    number.map(|number| u32::try_from(number).map(BuildId).map_err(unreadable)).transpose()
}

async fn number(cluster: &Cluster, name: &str) -> Result<Option<i64>, StoreError> {
    let answer = cluster.serial(Shared::GetMeta, (name,)).await?.into_rows_result().map_err(unreadable)?;
    Ok(answer.maybe_first_row::<(i64,)>().map_err(unreadable)?.map(|(number,)| number))
}

fn refuse(cluster: &Cluster, found: i64) -> Result<(), SchemaError> {
    let keyspace = cluster.keyspace().as_str().to_owned();
    match found.cmp(&SCHEMA_VERSION) {
        std::cmp::Ordering::Less => Err(SchemaError::Older { keyspace, found }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(SchemaError::Newer { keyspace, found }),
    }
}

pub(crate) async fn has_keyspace(cluster: &Cluster) -> Result<bool, StoreError> {
    let answer = cluster.shared(Shared::HasKeyspace, (cluster.keyspace().as_str(),)).await?;
    Ok(answer.into_rows_result().map_err(unreadable)?.rows_num() > 0)
}

/// (kind, type) of each column by its name, by table.
type Columns = BTreeMap<String, BTreeMap<String, (String, String)>>;

async fn columns(cluster: &Cluster) -> Result<Columns, StoreError> {
    let answer = cluster.shared(Shared::Columns, (cluster.keyspace().as_str(),)).await?;
    let rows = answer.into_rows_result().map_err(unreadable)?;
    let mut columns = Columns::new();
    for row in rows.rows::<(String, String, String, String)>().map_err(unreadable)? {
        let (table, column, kind, of) = row.map_err(unreadable)?;
        columns.entry(table).or_default().insert(column, (kind, of));
    }
    Ok(columns)
}

/// (name, kind, type) of each column of a table.
type Expected = (String, &'static [(&'static str, &'static str, &'static str)]);

const ROW_COLUMNS: [(&str, &str, &str); 3] = [
    ("partition_key", "partition_key", "blob"),
    ("clustering_key", "clustering", "blob"),
    ("value", "regular", "blob"),
];
const CHECKPOINT_COLUMNS: [(&str, &str, &str); 3] =
    [("log_partition", "partition_key", "int"), ("place", "clustering", "blob"), ("value", "regular", "blob")];

const MEMBER_COLUMNS: [(&str, &str, &str); 4] = [
    ("scope", "partition_key", "text"),
    ("member", "clustering", "uuid"),
    ("address", "regular", "text"),
    ("beat", "regular", "bigint"),
];
const PARTITION_COLUMNS: [(&str, &str, &str); 4] = [
    ("scope", "partition_key", "text"),
    ("log_partition", "clustering", "int"),
    ("owner", "regular", "uuid"),
    ("term", "regular", "bigint"),
];

fn tables(build: BuildId) -> Vec<Expected> {
    let tables = Table::ALL.map(|table| (table_name(build, table.name()), &ROW_COLUMNS[..]));
    tables.into_iter().chain([(table_name(build, CHECKPOINT), &CHECKPOINT_COLUMNS[..])]).collect()
}

fn leases() -> Vec<Expected> {
    vec![(MEMBER_TABLE.to_owned(), &MEMBER_COLUMNS), (PARTITION_TABLE.to_owned(), &PARTITION_COLUMNS)]
}

fn differences(columns: &Columns, all: Vec<Expected>) -> Vec<String> {
    let mut found = Vec::new();
    for (table, expect) in all {
        let Some(there) = columns.get(&table) else {
            found.push(format!("table {table} is missing"));
            continue;
        };
        for (column, kind, of) in expect {
            match there.get(*column) {
                None => found.push(format!("table {table} has no column {column}")),
                Some((is_kind, is_of)) if (is_kind.as_str(), is_of.as_str()) != (*kind, *of) => {
                    found.push(format!("column {column} of table {table} is {is_kind} {is_of}, not {kind} {of}"));
                }
                Some(_) => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
