//! `corral-load`: writes runs of an exact shape and asks for series, through the protocol and nothing else, and prints
//! what it did as one JSON line a stage. The drivers (`bench.py`, `strace.py`) measure the server from outside.
//!
//! It leaves out the client's spool on purpose: a load test has to know what was sent, when, and what was answered.

#![allow(clippy::disallowed_methods, reason = "a load test measures real time")]

mod curve;
mod load;
mod plan;
mod read;
mod report;
mod writer;

use clap::{Parser, Subcommand};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Reads and writes runs by the protocol; the key comes from CORRAL_API_KEY.
#[derive(Parser)]
struct Arguments {
    #[arg(long, env = "CORRAL_URL")]
    url: String,
    #[arg(long, env = "CORRAL_API_KEY", hide_env_values = true)]
    key: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Opens runs and logs points.
    Write(plan::Plan),
    /// Asks for one series again and again.
    Read(read::Question),
}

/// Where to, and as whom.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) key: String,
}

impl Target {
    /// The header that every call carries.
    fn authorize<T>(&self, body: T) -> Result<tonic::Request<T>, Failure> {
        let mut request = tonic::Request::new(body);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.key).parse()?);
        Ok(request)
    }

    async fn channel(&self) -> Result<tonic::transport::Channel, Failure> {
        Ok(tonic::transport::Endpoint::new(self.url.clone())?.tcp_nodelay(true).connect().await?)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let Arguments { url, key, verb } = Arguments::parse();
    let target = Target { url, key };
    match verb {
        Verb::Write(plan) => load::write(target, plan).await,
        Verb::Read(question) => read::ask(target, question).await,
    }
}
