//! Every CQL text that is sent, and nothing else sends any: `statements.cql` lists them, a test holds the list.
//!
//! They stay in what Apache Cassandra 5 and ScyllaDB both run (`docs/CQL.md` says where they differ). Names are made of a
//! closed set of tables, a number and a keyspace that [`Keyspace::new`] has checked; everything else is bound.

use corral_domain::BuildId;
use corral_read_store::Table;

use crate::config::Replication;

/// A keyspace's name: `[a-z][a-z0-9_]*`, 48 bytes at most, so that it needs no quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyspace(String);

impl Keyspace {
    pub fn new(name: &str) -> Result<Self, String> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if starts && name.len() <= KEYSPACE_BYTES_MAX && name.bytes().all(fits) {
            Ok(Self(name.to_owned()))
        } else {
            Err(format!("`{name}` is not a name of [a-z][a-z0-9_]*, {KEYSPACE_BYTES_MAX} bytes at most"))
        }
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const KEYSPACE_BYTES_MAX: usize = 48;

/// A statement of the keyspace as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shared {
    /// The keyspace's name.
    HasKeyspace,
    /// (table), all of the keyspace.
    Tables,
    /// (table, column, kind, type), all of the keyspace.
    Columns,
    CreateMeta,
    /// A number by its name.
    GetMeta,
    /// Applied only where the name has no number.
    InitMeta,
    /// Applied only where the number is what the last value says.
    SwapMeta,
}

/// A statement of the leases (`lease.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leases {
    CreateMembers,
    CreatePartitions,
    /// scope
    Members,
    Partitions,
    /// scope, member, address, beat
    Join,
    /// beat, scope, member, the beat before
    Beat,
    /// scope, member, its beat
    Evict,
    /// scope, member
    Leave,
    /// scope, partition, owner, term
    First,
    /// owner, term, scope, partition, the term before
    Change,
}

/// A statement of the vault, in its own keyspace (`vault.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vaults {
    Create,
    /// name, version: applied only where there is none
    Init,
    /// name
    Version,
    Load,
    /// the new version, name, the version before
    Raise,
    /// name, entry, value
    Put,
    /// name, entry
    Delete,
}

/// A statement of one build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owned {
    Create(Table),
    Drop(Table),
    /// partition, clustering, value, timestamp
    Insert(Table),
    /// timestamp, partition, clustering
    Delete(Table),
    Get(Table),
    /// partition, from, (below,) limit
    Scan {
        table: Table,
        below: bool,
        reverse: bool,
    },
    /// The partition keys of a table, in no order that we use.
    DumpKeys(Table),
    /// partition, after, limit: the same as a scan, with timestamps.
    DumpRowsAfter(Table),
    DumpRows(Table),
    CreateCheckpoint,
    DropCheckpoint,
    PutCheckpoint,
    GetCheckpoint,
    /// All below a place.
    TrimCheckpoints,
}

/// Rows of the table of numbers.
pub const META_VERSION: &str = "schema_version";
pub const META_BUILD: &str = "build";
pub const META_TABLE: &str = "meta";
pub const MEMBER_TABLE: &str = "lease_member";
pub const PARTITION_TABLE: &str = "lease_partition";

/// The vault's table, and the one partition in it.
pub const VAULT_NAME: &str = "vault";

pub fn create_keyspace(keyspace: &Keyspace, replication: &Replication) -> String {
    let name = keyspace.as_str();
    format!("CREATE KEYSPACE IF NOT EXISTS {name} WITH replication = {}", replication.to_cql())
}

impl Shared {
    pub const ALL: [Shared; 7] = [
        Self::HasKeyspace,
        Self::Tables,
        Self::Columns,
        Self::CreateMeta,
        Self::GetMeta,
        Self::InitMeta,
        Self::SwapMeta,
    ];

    pub fn text(self, keyspace: &Keyspace) -> String {
        let meta = format!("{}.{META_TABLE}", keyspace.as_str());
        match self {
            Self::HasKeyspace => "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?".to_owned(),
            Self::Tables => "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?".to_owned(),
            Self::Columns => {
                "SELECT table_name, column_name, kind, type FROM system_schema.columns WHERE keyspace_name = ?"
                    .to_owned()
            }
            Self::CreateMeta => {
                format!("CREATE TABLE IF NOT EXISTS {meta} (name text, number bigint, PRIMARY KEY (name))")
            }
            Self::GetMeta => format!("SELECT number FROM {meta} WHERE name = ?"),
            Self::InitMeta => format!("INSERT INTO {meta} (name, number) VALUES (?, ?) IF NOT EXISTS"),
            Self::SwapMeta => format!("UPDATE {meta} SET number = ? WHERE name = ? IF number = ?"),
        }
    }
}

impl Leases {
    pub const ALL: [Leases; 10] = [
        Self::CreateMembers,
        Self::CreatePartitions,
        Self::Members,
        Self::Partitions,
        Self::Join,
        Self::Beat,
        Self::Evict,
        Self::Leave,
        Self::First,
        Self::Change,
    ];

    pub(crate) fn is_read(self) -> bool {
        matches!(self, Self::Members | Self::Partitions)
    }

    pub fn text(self, keyspace: &Keyspace) -> String {
        let of = |table: &str| format!("{}.{table}", keyspace.as_str());
        let (member, partition) = (of(MEMBER_TABLE), of(PARTITION_TABLE));
        match self {
            Self::CreateMembers => format!(
                "CREATE TABLE IF NOT EXISTS {member} (scope text, member uuid, address text, beat bigint, \
                 PRIMARY KEY (scope, member)) WITH comment = 'processes that live and share the partitions of the log'"
            ),
            Self::CreatePartitions => format!(
                "CREATE TABLE IF NOT EXISTS {partition} (scope text, log_partition int, owner uuid, term bigint, \
                 PRIMARY KEY (scope, log_partition)) WITH comment = 'which of them has which partition'"
            ),
            Self::Members => format!("SELECT member, address, beat FROM {member} WHERE scope = ?"),
            Self::Partitions => format!("SELECT log_partition, owner, term FROM {partition} WHERE scope = ?"),
            Self::Join => {
                format!("INSERT INTO {member} (scope, member, address, beat) VALUES (?, ?, ?, ?) IF NOT EXISTS")
            }
            Self::Beat => format!("UPDATE {member} SET beat = ? WHERE scope = ? AND member = ? IF beat = ?"),
            Self::Evict => format!("DELETE FROM {member} WHERE scope = ? AND member = ? IF beat = ?"),
            Self::Leave => format!("DELETE FROM {member} WHERE scope = ? AND member = ? IF EXISTS"),
            Self::First => {
                format!("INSERT INTO {partition} (scope, log_partition, owner, term) VALUES (?, ?, ?, ?) IF NOT EXISTS")
            }
            Self::Change => {
                format!("UPDATE {partition} SET owner = ?, term = ? WHERE scope = ? AND log_partition = ? IF term = ?")
            }
        }
    }
}

impl Vaults {
    pub const ALL: [Vaults; 7] =
        [Self::Create, Self::Init, Self::Version, Self::Load, Self::Raise, Self::Put, Self::Delete];

    pub fn text(self, keyspace: &Keyspace) -> String {
        let vault = format!("{}.{VAULT_NAME}", keyspace.as_str());
        match self {
            Self::Create => format!(
                "CREATE TABLE IF NOT EXISTS {vault} (name text, entry text, version bigint static, value blob, \
                 PRIMARY KEY (name, entry)) WITH comment = 'keys and sessions, as hashes: ground state'"
            ),
            Self::Init => format!("INSERT INTO {vault} (name, version) VALUES (?, ?) IF NOT EXISTS"),
            Self::Version => format!("SELECT version FROM {vault} WHERE name = ? LIMIT 1"),
            Self::Load => format!("SELECT entry, value, version FROM {vault} WHERE name = ?"),
            Self::Raise => format!("UPDATE {vault} SET version = ? WHERE name = ? IF version = ?"),
            Self::Put => format!("INSERT INTO {vault} (name, entry, value) VALUES (?, ?, ?)"),
            Self::Delete => format!("DELETE FROM {vault} WHERE name = ? AND entry = ?"),
        }
    }
}

impl Owned {
    /// Every statement of a build.
    pub fn all() -> Vec<Owned> {
        let of_table = |table| {
            let scan = |below, reverse| Self::Scan { table, below, reverse };
            [
                Self::Create(table),
                Self::Drop(table),
                Self::Insert(table),
                Self::Delete(table),
                Self::Get(table),
                scan(false, false),
                scan(false, true),
                scan(true, false),
                scan(true, true),
                Self::DumpKeys(table),
                Self::DumpRowsAfter(table),
                Self::DumpRows(table),
            ]
        };
        let checkpoints = [
            Self::CreateCheckpoint,
            Self::DropCheckpoint,
            Self::PutCheckpoint,
            Self::GetCheckpoint,
            Self::TrimCheckpoints,
        ];
        Table::ALL.into_iter().flat_map(of_table).chain(checkpoints).collect()
    }

    pub fn text(self, keyspace: &Keyspace, build: BuildId) -> String {
        let of = |name: &str| format!("{}.{}", keyspace.as_str(), table_name(build, name));
        match self {
            Self::Create(table) => create(&of(table.name()), purpose_of(table)),
            Self::Insert(table) => {
                let into = of(table.name());
                format!("INSERT INTO {into} (partition_key, clustering_key, value) VALUES (?, ?, ?) USING TIMESTAMP ?")
            }
            Self::Delete(table) => {
                format!(
                    "DELETE FROM {} USING TIMESTAMP ? WHERE partition_key = ? AND clustering_key = ?",
                    of(table.name())
                )
            }
            Self::Get(table) => {
                format!("SELECT value FROM {} WHERE partition_key = ? AND clustering_key = ?", of(table.name()))
            }
            Self::Scan { table, below, reverse } => {
                let below = if below { " AND clustering_key < ?" } else { "" };
                let order = if reverse { "DESC" } else { "ASC" };
                format!(
                    "SELECT clustering_key, value FROM {} WHERE partition_key = ? AND clustering_key >= ?{below} \
                     ORDER BY clustering_key {order} LIMIT ?",
                    of(table.name())
                )
            }
            Self::DumpKeys(table) => format!("SELECT DISTINCT partition_key FROM {}", of(table.name())),
            Self::DumpRowsAfter(table) | Self::DumpRows(table) => {
                let from = if self == Self::DumpRows(table) { ">=" } else { ">" };
                format!(
                    "SELECT clustering_key, value, WRITETIME(value) FROM {} WHERE partition_key = ? AND \
                     clustering_key {from} ? LIMIT ?",
                    of(table.name())
                )
            }
            Self::Drop(table) => format!("DROP TABLE IF EXISTS {}", of(table.name())),
            Self::CreateCheckpoint => create_checkpoint(&of(CHECKPOINT)),
            Self::DropCheckpoint => format!("DROP TABLE IF EXISTS {}", of(CHECKPOINT)),
            Self::PutCheckpoint => {
                let into = of(CHECKPOINT);
                format!("INSERT INTO {into} (log_partition, place, value) VALUES (?, ?, ?) USING TIMESTAMP ?")
            }
            Self::GetCheckpoint => {
                format!("SELECT place, value FROM {} WHERE log_partition = ? LIMIT 1", of(CHECKPOINT))
            }
            Self::TrimCheckpoints => {
                format!("DELETE FROM {} USING TIMESTAMP ? WHERE log_partition = ? AND place < ?", of(CHECKPOINT))
            }
        }
    }
}

fn create(name: &str, purpose: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {name} (partition_key blob, clustering_key blob, value blob, \
         PRIMARY KEY (partition_key, clustering_key)) WITH comment = '{purpose}'"
    )
}

/// A deleted row that comes back lies below the first and counts for nothing, so deletes need not be remembered for long;
/// not for no time at all, as an engine keeps no hints for such a table.
fn create_checkpoint(name: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {name} (log_partition int, place blob, value blob, \
         PRIMARY KEY (log_partition, place)) WITH CLUSTERING ORDER BY (place DESC) AND gc_grace_seconds = 10800 \
         AND comment = 'how far each partition of the log is committed; the first row counts'"
    )
}

/// The name of a build's table within its keyspace.
pub fn table_name(build: BuildId, name: &str) -> String {
    format!("b{}_{name}", build.0)
}

/// The build that a table of the keyspace belongs to.
pub fn build_of(table: &str) -> Option<BuildId> {
    table.strip_prefix('b')?.split_once('_')?.0.parse().ok().map(BuildId)
}

pub const CHECKPOINT: &str = "checkpoint";

fn purpose_of(table: Table) -> &'static str {
    match table {
        Table::State => "the state of each stream; one partition a stream",
        Table::Tail => "recent records of each run, whole",
        Table::SetDirectory => "what each set of pieces holds",
        Table::SetBlock => "blocks of the pieces of a set",
        Table::Chunk => "final chunks of each series",
        Table::Metric => "names of the metrics of each run",
        Table::WriterMetric => "metric ids of each writer",
        Table::Series => "the series of each run",
        Table::SeriesStat => "aggregates of each series at the last seal",
        Table::RunHead => "what a list of runs shows",
        Table::RunConfig => "the config of each run",
        Table::RunRevision => "what changed when in each run",
        Table::Object => "objects of each run",
        Table::Project => "projects of each organization",
        Table::ProjectName => "names of projects",
        Table::ProjectStat => "aggregates of each project by partition of the log",
        Table::DeadLetter => "events that a projection refused",
        Table::MetricDef => "definitions of metrics",
    }
}

#[cfg(test)]
mod tests;
