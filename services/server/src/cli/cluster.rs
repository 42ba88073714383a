//! Commands about what several processes share: the schema, the owner, a login link. They need no server that runs.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use corral_access::Secret;
use corral_tasks::{Clock, Tasks};

use super::command::other;
use super::{Failed, runtime, say};
use crate::config::{Config, LogLevel};
use crate::serve::StartError;
use crate::wiring;

/// `corral schema apply` and `check`.
pub(super) fn schema(config: &Config, apply: bool) -> Result<ExitCode, Failed> {
    super::start_logging(LogLevel::Warn);
    say(&runtime()?.block_on(wiring::schema(config, apply)).map_err(other)?)?;
    Ok(ExitCode::SUCCESS)
}

/// `corral owner create`.
pub(super) fn owner_create(config: &Config, key_file: Option<&Path>) -> Result<ExitCode, Failed> {
    super::start_logging(LogLevel::Warn);
    let hand_over = |key: &Secret| match key_file {
        Some(path) => write_key(path, key).map_err(|error| format!("{}: {error}", path.display())),
        None => say(key.expose()).map_err(|error| error.to_string()),
    };
    match runtime()?.block_on(create_owner(config, hand_over))? {
        true => Ok(ExitCode::SUCCESS),
        false => Err(other("there is an owner already: an admin's key makes others")),
    }
}

/// Makes the owner of the organization whose vault several processes share; false: there is one.
pub async fn create_owner<E>(
    config: &Config,
    hand_over: impl FnOnce(&Secret) -> Result<(), E>,
) -> Result<bool, StartError>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let tasks = Tasks::new();
    let access = wiring::open_vault(config, &Clock::system(), &tasks).await?;
    let made = tokio::task::block_in_place(|| access.first_start(hand_over))?;
    Ok(made.is_some())
}

/// A login link for the owner, without a server.
pub(super) fn login(config: &Config) -> Result<ExitCode, Failed> {
    let token = runtime()?.block_on(async {
        let access = wiring::open_vault(config, &Clock::system(), &Tasks::new()).await.map_err(other)?;
        let owner = access.organization().ok_or_else(|| other("there is no owner yet: run `corral owner create`"))?;
        tokio::task::block_in_place(|| access.login_token(owner.owner)).map_err(other)
    })?;
    let url = config.public_url.clone().unwrap_or_else(|| format!("http://{}", config.listen));
    say(&format!("{url}/login#{}", token.expose()))?;
    Ok(ExitCode::SUCCESS)
}

fn write_key(path: &Path, key: &Secret) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{}", key.expose())?;
    file.sync_all()
}
