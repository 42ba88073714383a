//! `corral push` and `corral archive`: what a log holds, to another Corral or into its archive.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use corral_archive::{Archive, find, up_to_tail};
use corral_blob_store::BlobStore;
use corral_domain::OrganizationId;
use corral_event_log::LogError;
use corral_push::{Mapping, Plan, Pushed, RpcTarget, Source};
use corral_tasks::{Clock, Tasks};

use super::command::other;
use super::{Failed, runtime, say};
use crate::config::{Config, LogLevel};
use crate::wiring::{self, Log, OpenError};

#[derive(Args)]
pub(super) struct Push {
    /// A data directory that no server has open, or where an archive is (a directory, or s3://…, gs://…, az://…)
    #[arg(long, value_name = "DIR or URL")]
    from: String,
    /// The Corral that takes it; an admin's key for it is in CORRAL_API_KEY or in the credentials file
    #[arg(long, value_name = "URL")]
    to: String,
    /// What is called otherwise there: run:OLD=NEW, project:OLD=NEW or actor:OLD=NEW; may be given several times
    #[arg(long, value_name = "KIND:OLD=NEW")]
    map: Vec<String>,
    /// Keep the accounts' names; else all runs become those of the account that pushes
    #[arg(long)]
    keep_actors: bool,
    /// Put back what was lost: keeps the accounts, and asks that the log there has a later epoch, so that clients that go on
    /// there send again what it lacks
    #[arg(long)]
    restore: bool,
    /// Whose runs, where there are those of several organizations
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    /// Which log's archive, where there are several: LOG/EPOCH
    #[arg(long, value_name = "LOG/EPOCH")]
    archive: Option<String>,
    /// Look, and list what clashes; send nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn push(given: Push) -> Result<ExitCode, Failed> {
    super::start_logging(LogLevel::Warn);
    let mapping = Mapping::parse(&given.map, given.keep_actors || given.restore).map_err(other)?;
    let organization = given.organization.as_deref().map(str::parse::<OrganizationId>).transpose().map_err(other)?;
    let plan = Plan { mapping, organization, dry_run: given.dry_run, restore: given.restore };
    let mut settings = corral_client::Settings::from_env(concat!("corral-push/", env!("CARGO_PKG_VERSION")));
    settings.set_url(&given.to);
    runtime()?.block_on(async {
        let tasks = Tasks::new();
        let (source, log) = source(&given, &tasks).await?;
        let channel = corral_client::connect(&settings).await.map_err(|error| other(format!("to: {error}")))?;
        let pushed = corral_push::push(&source, &mut RpcTarget::new(channel), &plan, &|text| drop(say(&text))).await;
        if let Some(log) = log {
            tasks.run_blocking("close the event log", move || log.close()).await.map_err(other)?;
        }
        summary(&pushed.map_err(other)?, given.dry_run)
    })
}

fn summary(pushed: &Pushed, dry_run: bool) -> Result<ExitCode, Failed> {
    let Pushed { runs, projects, records, sent, sent_bytes, unreadable, replaced, .. } = pushed;
    let found = format!("{runs} runs and {projects} projects in {records} records");
    match dry_run {
        true => say(&format!("{found}: nothing clashes, nothing was sent"))?,
        false => say(&format!("{found}: {sent} were sent ({sent_bytes} bytes), the others are there"))?,
    }
    if *unreadable > 0 {
        say(&format!("{unreadable} records are no events and were left out"))?;
    }
    if *replaced > 0 {
        say(&format!("{replaced} records could not be read: gaps of as many items were sent in their place"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is pushed; a log that this process has open then.
async fn source(given: &Push, tasks: &Tasks) -> Result<(Source, Option<Log>), Failed> {
    let from = &given.from;
    let dir = Path::new(from);
    if dir.join("log").join("identity").is_file() {
        let dir = dir.to_owned();
        let open = move || wiring::log_alone(&dir, &Clock::system());
        let opened = tasks.run_blocking("open the event log", open).await.map_err(other)?;
        let log = opened.map_err(|error| match error {
            LogError::Unavailable(who) => other(format!("from: {who}; stop that server, or push from its archive")),
            error => other(format!("from: {error}")),
        })?;
        return Ok((Source::Log(log.handle()), Some(log)));
    }
    let place = if from.contains("://") { from.clone() } else { absolute(dir)? };
    let blobs = BlobStore::open(&place).map_err(other)?;
    let found = find(&blobs).await.map_err(other)?;
    let named = |log: &corral_event_log::LogIdentity| format!("{}/{}", log.log_id, log.log_epoch.0);
    let wanted = |log: &&corral_event_log::LogIdentity| given.archive.as_ref().is_none_or(|name| *name == named(log));
    let chosen: Vec<_> = found.iter().filter(wanted).collect();
    match chosen[..] {
        [log] => {
            let archive = Archive::open(blobs, *log).await.map_err(other)?;
            Ok((Source::Archive(Arc::new(archive)), None))
        }
        [] => Err(other(format!("from: {from} is neither a data directory nor has it such an archive"))),
        _ => {
            let names: Vec<String> = found.iter().map(named).collect();
            Err(other(format!("from: {from} has several archives, say which by --archive: {}", names.join(", "))))
        }
    }
}

/// A directory that is there: a wrong name must not be made one.
fn absolute(dir: &Path) -> Result<String, Failed> {
    let found = std::path::absolute(dir)
        .ok()
        .filter(|dir| dir.is_dir())
        .and_then(|dir| dir.into_os_string().into_string().ok());
    found.ok_or_else(|| other(format!("from: there is no directory {}", dir.display())))
}

pub(super) fn archive(config: &Config) -> Result<ExitCode, Failed> {
    super::start_logging(LogLevel::Warn);
    let place = config.archiving.blobs.clone().ok_or_else(|| other("blobs: say where the archive is"))?;
    runtime()?.block_on(async {
        let tasks = Tasks::new();
        let backends = wiring::open(config, &Clock::system(), &tasks).await.map_err(|error| match error {
            OpenError::InUse(who) => {
                other(format!("data_dir: {who}; give that server `blobs`, and it archives by itself"))
            }
            error => other(error),
        })?;
        let log = backends.log.handle();
        let blobs = BlobStore::open(&place).map_err(other)?;
        let archive = Archive::open(blobs, log.identity()).await.map_err(other)?;
        let limits = corral_archiver::limits(log.identity().partitions);
        let done = up_to_tail(&archive, &*log, &limits, &|text| drop(say(&text))).await;
        tasks.run_blocking("close the event log", move || backends.log.close()).await.map_err(other)?;
        done.map_err(other)?;
        say(&format!("log {}/{} is archived in {place}", log.identity().log_id, log.identity().log_epoch.0))?;
        Ok(ExitCode::SUCCESS)
    })
}
