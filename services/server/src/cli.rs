//! The command line.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use corral_tasks::{Clock, Tasks, signal};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing_subscriber::EnvFilter;

use crate::admin::FAILED;
use crate::config::{Config, ConfigError, LogLevel, Sources};
use crate::local::LocalError;
use crate::serve::{Running, StartError};

pub(crate) mod cluster;
mod command;
mod push;

/// Corral gathers the runs of a machine-learning team in one place.
#[derive(Parser)]
#[command(name = "corral", version, about, long_about = None)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server: the page, the API and the doors for training programs, on one port
    Serve(Serve),
    /// Print a fresh link that signs a browser in
    Login(Place),
    /// Make the read models anew from the event log alone, beside those that are served, and switch to them
    Rebuild {
        #[command(flatten)]
        place: Place,
        /// Compare with those that are served first; where they differ, exit with 3 and leave everything as it is
        #[arg(long)]
        verify: bool,
    },
    /// Look into the event log
    #[command(subcommand)]
    Log(LogCommand),
    /// Send what a data directory or an archive holds to another Corral, which keeps each item once however often it is sent
    Push(push::Push),
    /// Archive all that the event log has now, as a running archiver would
    Archive(Place),
    /// The keyspaces of a CQL cluster: the read store's and the vault's
    #[command(subcommand)]
    Schema(SchemaCommand),
    /// The owner of an organization whose vault several processes share
    #[command(subcommand)]
    Owner(OwnerCommand),
}

#[derive(Subcommand)]
enum SchemaCommand {
    /// Make what is missing; needs the rights to create keyspaces and tables
    Apply(Place),
    /// Say whether it is what this Corral needs, and change nothing
    Check(Place),
}

#[derive(Subcommand)]
enum OwnerCommand {
    /// Make the organization and its owner, once, with an admin's key
    Create {
        #[command(flatten)]
        place: Place,
        /// Write the key into a new file (mode 0600) instead of printing it
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
enum LogCommand {
    /// Print a run's events, decoded, with their positions and what deduplication said
    Show {
        #[command(flatten)]
        place: Place,
        /// The run's id
        run: String,
    },
    /// Say, once, that the data directory was put back from a backup: training programs then send again what it lacks,
    /// as far as they still have it
    Restored(Place),
}

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    place: Place,
    /// Address and port to listen on; port 0: any free one [default: 127.0.0.1:4870]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// How browsers reach the server, if not by the address that it listens on
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Peers whose forwarded headers are believed: addresses or networks, separated by commas
    #[arg(long, value_name = "NETWORKS")]
    trusted_proxies: Option<String>,
    /// What this process does: ingest, projector, archiver, query, web; embedded storage needs all of it in one [default: all]
    #[arg(long, value_name = "ROLES")]
    roles: Option<String>,
    /// The log forgets what was appended longer ago, once it is archived and projected [default: never]
    #[arg(long, value_name = "HOURS")]
    log_keep_hours: Option<String>,
    /// A file with a key of corral's form: whose owner is made where a shared vault has none
    #[arg(long, value_name = "FILE")]
    bootstrap_key_file: Option<String>,
    /// How much to write to stderr: error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Print the effective configuration, with where each value came from, and exit
    #[arg(long)]
    print_config: bool,
}

/// Which server is meant.
#[derive(Args)]
struct Place {
    /// A configuration file [default: ${XDG_CONFIG_HOME:-~/.config}/corral/config.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory of everything that the server keeps [default: ${XDG_DATA_HOME:-~/.local/share}/corral]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// The event log: embedded, or kafka://HOST:PORT[,HOST:PORT]/TOPIC[?NAME=VALUE] [default: embedded]
    #[arg(long, value_name = "URL")]
    log: Option<String>,
    /// The password of the log's user is in this file
    #[arg(long, value_name = "FILE")]
    log_password_file: Option<String>,
    /// The read store: embedded, or cql://HOST:PORT[,HOST:PORT]/KEYSPACE[?NAME=VALUE] [default: embedded]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// The password of the store's user is in this file
    #[arg(long, value_name = "FILE")]
    store_password_file: Option<String>,
    /// Where the log is archived: a directory, or s3://…, gs://…, az://… [default: nowhere]
    #[arg(long, value_name = "URL")]
    blobs: Option<String>,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Start(#[from] StartError),
    #[error("{0}")]
    Local(#[from] LocalError),
    #[error("{0}")]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

/// 0 is success, 3 a difference that `rebuild --verify` found, and 130 a second signal.
const WRONG_USAGE: u8 = 2;

/// Runs the process to its end.
pub fn main() -> ExitCode {
    run(Line::parse().command).unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "corral: {error}");
        ExitCode::from(if matches!(error, Failed::Config(_)) { WRONG_USAGE } else { FAILED })
    })
}

fn run(command: Command) -> Result<ExitCode, Failed> {
    match command {
        Command::Serve(serve) => run_serve(serve),
        Command::Login(place) => command::login(&place.load(BTreeMap::new())?),
        Command::Rebuild { place, verify } => command::rebuild(&place.load(BTreeMap::new())?, verify),
        Command::Log(LogCommand::Show { place, run }) => command::log_show(&place.load(BTreeMap::new())?, &run),
        Command::Log(LogCommand::Restored(place)) => command::log_restored(&place.load(BTreeMap::new())?),
        Command::Push(given) => push::push(given),
        Command::Archive(place) => push::archive(&place.load(BTreeMap::new())?),
        Command::Schema(SchemaCommand::Apply(place)) => cluster::schema(&place.load(BTreeMap::new())?, true),
        Command::Schema(SchemaCommand::Check(place)) => cluster::schema(&place.load(BTreeMap::new())?, false),
        Command::Owner(OwnerCommand::Create { place, key_file }) => {
            cluster::owner_create(&place.load(BTreeMap::new())?, key_file.as_deref())
        }
    }
}

impl Place {
    fn load(self, mut flags: BTreeMap<&'static str, String>) -> Result<Config, ConfigError> {
        let own = [
            ("data_dir", self.data_dir),
            ("log", self.log),
            ("log_password_file", self.log_password_file),
            ("store", self.store),
            ("store_password_file", self.store_password_file),
            ("blobs", self.blobs),
        ];
        flags.extend(own.into_iter().filter_map(|(name, text)| Some((name, text?))));
        Config::load(&Sources { env: &|name| std::env::var_os(name), file: self.config, flags })
    }
}

fn run_serve(serve: Serve) -> Result<ExitCode, Failed> {
    let flags = [
        ("listen", serve.listen),
        ("public_url", serve.public_url),
        ("trusted_proxies", serve.trusted_proxies),
        ("roles", serve.roles),
        ("log_keep_hours", serve.log_keep_hours),
        ("bootstrap_key_file", serve.bootstrap_key_file),
        ("log_level", serve.log_level),
    ];
    let flags = flags.into_iter().filter_map(|(name, text)| Some((name, text?))).collect();
    let config = serve.place.load(flags)?;
    if serve.print_config {
        say(&config.print())?;
        return Ok(ExitCode::SUCCESS);
    }
    start_logging(config.log_level);
    raise_open_files();
    runtime()?.block_on(async {
        let tasks = Tasks::new();
        signal::watch(&tasks).map_err(|error| Failed::Other(error.into()))?;
        let running = Running::start(&config, Clock::system(), tasks).await?;
        greet(&running)?;
        Ok(running.wait().await)
    })
}

fn greet(running: &Running) -> Result<(), Failed> {
    say(&format!("Corral {} listens on {}", env!("CARGO_PKG_VERSION"), running.url()))?;
    if let Some(path) = running.key_written_to() {
        say(&format!("The owner's key is in {}", path.display()))?;
    }
    if running.access().is_shared() {
        // A link for each of many processes would stand in as many logs.
        return Ok(());
    }
    let link = running.login_link().map_err(|error| Failed::Other(error.into()))?;
    say(&format!("Log in (once, within 15 minutes; `corral login` gives another): {link}"))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("corral").build();
    runtime.map_err(|error| Failed::Other(error.into()))
}

/// Each connection is a file: takes as many as the system lets this process have.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    if let Err(error) = raised {
        tracing::warn!(%error, open_files = ?limit.current, "the limit of open files could not be raised");
    }
}

/// A line on stdout; nobody listening there is no reason to fail.
fn say(text: &str) -> Result<(), Failed> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failed::Other(error.into())),
        _ => Ok(()),
    }
}

fn start_logging(level: LogLevel) {
    // Dependencies have their say from warnings on.
    let filter = match level {
        LogLevel::Error => "error".to_owned(),
        level => format!("warn,corral={0},corral_server={0}", level.name()),
    };
    let filter = EnvFilter::new(filter);
    let ansi = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(ansi).init();
}
