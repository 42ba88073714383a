//! Commands about what several processes share: the schema, the owner, a login link. They need no server that runs.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use corral_access::{Access, Secret};
use corral_tasks::{Clock, Tasks};

use super::command::other;
use super::{Failed, runtime, say};
use crate::config::{ClusterPlaces, Config, LogLevel, Places};
use crate::wiring;

/// `corral schema apply` and `check`.
pub(super) fn schema(config: &Config, apply: bool) -> Result<ExitCode, Failed> {
    super::start_logging(LogLevel::Warn);
    let store = &places(config)?.store;
    let done = runtime()?
        .block_on(async { if apply { wiring::schema_apply(store).await } else { wiring::schema_check(store).await } });
    say(&done.map_err(other)?)?;
    Ok(ExitCode::SUCCESS)
}

/// `corral owner create`.
pub(super) fn owner_create(config: &Config, key_file: Option<&Path>) -> Result<ExitCode, Failed> {
    super::start_logging(LogLevel::Warn);
    let access = access(config)?;
    let hand_over = |key: &Secret| match key_file {
        Some(path) => write_key(path, key).map_err(|error| format!("{}: {error}", path.display())),
        None => say(key.expose()).map_err(|error| error.to_string()),
    };
    let runtime = runtime()?;
    let made = runtime.block_on(async { tokio::task::block_in_place(|| access.first_start(hand_over)) });
    match made.map_err(other)? {
        Some(_) => Ok(ExitCode::SUCCESS),
        None => Err(other("there is an owner already: an admin's key makes others")),
    }
}

/// A login link for the owner, without a server.
pub(super) fn login(config: &Config) -> Result<ExitCode, Failed> {
    let access = access(config)?;
    let owner = access.organization().ok_or_else(|| other("there is no owner yet: run `corral owner create`"))?.owner;
    let runtime = runtime()?;
    let token = runtime.block_on(async { tokio::task::block_in_place(|| access.login_token(owner)) }).map_err(other)?;
    let url = config.public_url.clone().unwrap_or_else(|| format!("http://{}", config.listen));
    say(&format!("{url}/login#{}", token.expose()))?;
    Ok(ExitCode::SUCCESS)
}

fn places(config: &Config) -> Result<&ClusterPlaces, Failed> {
    match &config.places {
        Places::Cluster(places) => Ok(places),
        Places::Embedded => Err(other(
            "log, store: are embedded: `corral serve` makes everything there, the owner too; this is for kafka://… and \
             cql://…",
        )),
    }
}

/// The vault, over a runtime that lives as long as the process.
fn access(config: &Config) -> Result<Arc<Access>, Failed> {
    let places = places(config)?;
    // What the vault's connection runs on must not end before it.
    let runtime: &'static tokio::runtime::Runtime = Box::leak(Box::new(runtime()?));
    runtime.block_on(wiring::shared_vault(places, &Clock::system(), &Tasks::new())).map_err(other)
}

fn write_key(path: &Path, key: &Secret) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{}", key.expose())?;
    file.sync_all()
}
