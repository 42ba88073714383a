//! What a commit of usual shape costs, us and the engine apart:
//! `cargo run --release -p corral-read-store-scylla --example commit_cost -- [.engines/run.json] [commits]`
//! against what `make engines` started.
//!
//! A commit has the rows of eight runs: a tail row of 4 KiB, a head of 1 KiB, a state of two rows each; a project's
//! aggregate; the checkpoint. Each fourth commit seals one run: eight chunks of 32 KiB, and the deletes of 64 tail rows.

use std::error::Error;
use std::io::Write as _;

use bytes::Bytes;
use corral_domain::{Offset, Partition};
use corral_read_store::{Checkpoint, Key, Mutation, ReadStore, Table, Write, WriteBatch};
use corral_read_store_scylla::{Builds, Cluster, Config, Login, Replication, ScyllaStore, schema};

const RUNS: u64 = 8;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut given = std::env::args().skip(1);
    let run = given.next().unwrap_or_else(|| ".engines/run.json".to_owned());
    let commits: u64 = given.next().map_or(Ok(2_000), |count| count.parse())?;
    let facts: serde_json::Value = serde_json::from_slice(&std::fs::read(run)?)?;
    let text = |path: &str| facts.pointer(path).and_then(|found| found.as_str()).map(str::to_owned);
    let login = text("/cassandra/user").zip(text("/cassandra/password"));
    let pids: Vec<u64> = facts["cassandra"]["nodes"]
        .as_array()
        .map_or_else(Vec::new, |nodes| nodes.iter().filter_map(|node| node["pid"].as_u64()).collect());
    let config = Config {
        nodes: vec![text("/cassandra/contact_points/0").ok_or("no Cassandra in the run file")?],
        keyspace: "commit_cost".to_owned(),
        datacenter: text("/cassandra/data_center"),
        login: login.map(|(user, password)| Login { user, password }),
        tls: None,
    };
    let cluster = Cluster::connect(&config).await?;
    schema::apply(&cluster, &Replication::Everywhere(u8::try_from(pids.len())?)).await?;
    let builds = Builds::new(cluster);
    let build = builds.unused().await?;
    let store = builds.create(build).await?;
    let warm = commits / 4;
    let (mut rows, mut took_us) = (0, Vec::new());
    let mut before = (0, 0, tokio::time::Instant::now());
    for number in 0..warm + commits {
        if number == warm {
            (rows, before) = (0, (ticks("self")?, engine(&pids)?, tokio::time::Instant::now()));
        }
        let started = tokio::time::Instant::now();
        rows += commit(&store, number).await?;
        if number >= warm {
            took_us.push(started.elapsed().as_micros());
        }
    }
    let (ours, theirs, wall) = (ticks("self")? - before.0, engine(&pids)? - before.1, before.2.elapsed());
    took_us.sort_unstable();
    let at = |share: usize| took_us[(took_us.len() - 1) * share / 100] as f64 / 1e3;
    let us_per_row = |ticks: u64| ticks as f64 * 1e6 / TICKS_PER_SECOND / rows as f64;
    writeln!(
        std::io::stdout(),
        "{commits} commits, {rows} rows in {:.1} s; a commit p50 {:.1} ms, p99 {:.1} ms\n\
         CPU per row: {:.1} us ours, {:.1} us the engine's ({} nodes)",
        wall.as_secs_f64(),
        at(50),
        at(99),
        us_per_row(ours),
        us_per_row(theirs),
        pids.len()
    )?;
    Ok(builds.remove(build).await?)
}

/// Returns how many rows it wrote or deleted.
async fn commit(store: &ScyllaStore, number: u64) -> Result<usize, Box<dyn Error>> {
    let row = |table, partition: u64, name: u64, bytes: usize| Write {
        key: key(table, partition, name),
        value: Some(Bytes::from(vec![number as u8; bytes])),
        timestamp: number,
    };
    let mut batch = WriteBatch::default();
    for run in 0..RUNS {
        batch.derived.push(Mutation(vec![row(Table::Tail, run, number, 4_096)]));
        batch.derived.push(Mutation(vec![row(Table::RunHead, 0, run, 1_024)]));
        batch.state.push(Mutation(vec![row(Table::State, run, 0, 400), row(Table::State, run, 1, 100)]));
    }
    batch.derived.push(Mutation(vec![row(Table::ProjectStat, 0, 0, 40)]));
    if number % 4 == 3 {
        let run = number / 4 % RUNS;
        batch
            .derived
            .extend((0..8).map(|series| Mutation(vec![row(Table::Chunk, run * 8 + series, number, 32 * 1024)])));
        let old = number.saturating_sub(64)..number;
        batch.derived.extend(old.map(|old| Mutation::one(key(Table::Tail, run, old), None, number)));
    }
    let rows = batch.derived.iter().chain(&batch.state).map(|mutation| mutation.0.len()).sum::<usize>() + 1;
    let checkpoint = Checkpoint { offset: Offset(number + 1), ..Checkpoint::default() };
    store.commit(Partition(0), batch, checkpoint).await?;
    Ok(rows)
}

fn key(table: Table, partition: u64, name: u64) -> Key {
    let bytes = |number: u64| Bytes::from(number.to_be_bytes().to_vec());
    Key { table, partition: bytes(partition), clustering: bytes(name) }
}

const TICKS_PER_SECOND: f64 = 100.0;

fn engine(pids: &[u64]) -> Result<u64, Box<dyn Error>> {
    pids.iter().map(|pid| ticks(&pid.to_string())).sum()
}

/// CPU of a process, user and system.
fn ticks(process: &str) -> Result<u64, Box<dyn Error>> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = stat.rsplit_once(')').ok_or("no stat")?.1.split_whitespace().collect();
    Ok(fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)
}
