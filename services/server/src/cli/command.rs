//! Commands that ask the running server, or open the data directory where none runs.

use std::process::ExitCode;
use std::sync::Arc;

use corral_domain::RunId;
use corral_event_log::{EventLog, LogError};
use corral_tasks::{Clock, Kind, Tasks};
use tokio::sync::mpsc;

use super::{Failed, runtime, say};
use crate::admin::{LOG_SHOW, LogShowRequest, REBUILD, RebuildRequest, tell};
use crate::archive::Kept;
use crate::config::{Config, LogLevel};
use crate::local::{Local, LocalError};
use crate::log_show::LogShow;
use crate::said::{self, Line};
use crate::wiring::{self, Backends, Log, OpenError};

pub(super) fn login(config: &Config) -> Result<ExitCode, Failed> {
    if !config.places.is_embedded() {
        return super::cluster::login(config);
    }
    let local = local(config)?;
    let said = runtime()?.block_on(local.ask("/api/login-token", String::new()))?;
    let token = serde_json::from_slice::<serde_json::Value>(&said).ok();
    let token = token.and_then(|said| Some(said.get("token")?.as_str()?.to_owned()));
    let token = token.ok_or_else(|| LocalError::Answer("it has no token".to_owned()))?;
    let url = config.public_url.as_ref().unwrap_or(&local.announcement.url);
    say(&format!("{url}/login#{token}"))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn rebuild(config: &Config, verify: bool) -> Result<ExitCode, Failed> {
    super::start_logging(LogLevel::Warn);
    let body = serde_json::to_string(&RebuildRequest { verify }).map_err(other)?;
    runtime()?.block_on(async {
        let tasks = Tasks::new();
        let Some(backends) = open(config, &tasks).await? else { return listen(&local(config)?, REBUILD, body).await };
        let Backends { log, stores, .. } = backends;
        let reading = reading(config, &log).await?;
        let ((saying, lines), work) = (said::channel(), tasks.clone());
        tasks.spawn("rebuild", Kind::Session, async move {
            let done = crate::rebuild::offline((reading, &stores), Clock::system(), (verify, &saying)).await;
            tell(&saying, done).await;
            work.run_blocking("close the event log", move || log.close()).await
        });
        print(lines).await
    })
}

pub(super) fn log_show(config: &Config, run: &str) -> Result<ExitCode, Failed> {
    super::start_logging(LogLevel::Warn);
    let run: RunId = run.parse().map_err(other)?;
    let body = serde_json::to_string(&LogShowRequest { run_id: run.to_string() }).map_err(other)?;
    runtime()?.block_on(async {
        let tasks = Tasks::new();
        let Some(backends) = open(config, &tasks).await? else { return listen(&local(config)?, LOG_SHOW, body).await };
        let Backends { log, stores, access, .. } = backends;
        let organization = access.organization().ok_or_else(|| other("the vault holds no organization yet"))?.id;
        let build = stores.current().await.map_err(other)?;
        let (saying, lines) = said::channel();
        let show = LogShow { log: reading(config, &log).await?, store: build.handle(), wait_ms_max: 0 };
        tasks.spawn("log show", Kind::Session, async move {
            match show.show(organization, &run, &saying).await {
                Ok(text) => saying.end(crate::admin::DONE, text).await,
                Err(error) => saying.end(crate::admin::FAILED, error.to_string()).await,
            }
            Ok(())
        });
        print(lines).await
    })
}

pub(super) fn log_restored(config: &Config) -> Result<ExitCode, Failed> {
    there_is_a_log(config)?;
    let epoch = wiring::restored(&config.data_dir, &Clock::system()).map_err(|error| match error {
        LogError::Unavailable(who) => other(format!("data_dir: {who}; stop that server first")),
        error => other(error),
    })?;
    say(&format!("The log's epoch is {} now. Start the server: it makes the read models anew.", epoch.0))?;
    Ok(ExitCode::SUCCESS)
}

/// What is kept, unless a server has it for itself.
async fn open(config: &Config, tasks: &Tasks) -> Result<Option<Backends>, Failed> {
    if config.places.is_embedded() {
        there_is_a_log(config)?;
    }
    match wiring::open(config, &Clock::system(), tasks).await {
        Ok(backends) => Ok(Some(backends)),
        Err(OpenError::InUse(_)) => Ok(None),
        Err(error) => Err(other(error)),
    }
}

/// The log, with its archive before it.
async fn reading(config: &Config, log: &Log) -> Result<Arc<dyn EventLog>, Failed> {
    let kept = Kept::open(config, log).await.and_then(|kept| kept.reading());
    kept.map_err(|error| other(format!("blobs: {error}")))
}

fn there_is_a_log(config: &Config) -> Result<(), Failed> {
    let dir = &config.data_dir;
    let found = dir.join("log").is_dir();
    found.then_some(()).ok_or_else(|| other(format!("data_dir: there is no event log in {}", dir.display())))
}

fn local(config: &Config) -> Result<Local, LocalError> {
    let key = std::env::var("CORRAL_API_KEY").ok().filter(|key| !key.trim().is_empty());
    Local::find(config, key.map(|key| key.trim().to_owned()))
}

async fn listen(local: &Local, path: &str, body: String) -> Result<ExitCode, Failed> {
    let last = local.listen(path, body, |line| drop(say(&line.text))).await?;
    end(&last)
}

async fn print(mut lines: mpsc::Receiver<Line>) -> Result<ExitCode, Failed> {
    while let Some(line) = lines.recv().await {
        if line.code.is_some() {
            // The log is closed by whoever said it, before the receiver hears of the end.
            let ended = end(&line);
            while lines.recv().await.is_some() {}
            return ended;
        }
        say(&line.text)?;
    }
    Err(other("the command ended without saying how"))
}

fn end(line: &Line) -> Result<ExitCode, Failed> {
    say(&line.text)?;
    Ok(ExitCode::from(line.code.unwrap_or(crate::admin::FAILED)))
}

pub(super) fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failed {
    Failed::Other(error.into())
}
