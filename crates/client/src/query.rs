//! Questions to the server, from a thread that may wait.

use std::sync::Arc;
use std::time::Duration;

use corral_wire::proto;
use corral_wire::proto::query_service_client::QueryServiceClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use crate::connect::{Authorize, endpoint};
use crate::settings::Settings;
use crate::shared::Shared;

const ANSWER_MS_MAX: u64 = 60_000;
/// "Later" is asked again for so long in all.
const RETRY_MS_MAX: u64 = 10_000;
const ANSWER_BYTES_MAX: usize = 256 << 20;

#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error("{0}")]
    Url(String),
    /// What the server said: its reason (UPPER_SNAKE, or empty) and a message for people.
    #[error("{message}")]
    Refused { reason: String, field: String, message: String },
    #[error("make a runtime: {0}")]
    Runtime(std::io::Error),
}

type Rpc = QueryServiceClient<InterceptedService<Channel, Authorize>>;

/// Connects at the first question.
pub struct Query {
    settings: Settings,
    shared: Option<Arc<Shared>>,
    /// Answers must cover these too: what other clients of this process know to be durable.
    also: Vec<(u32, u64)>,
    link: Option<Link>,
    /// Whose link it is: a forked child has the same socket, and a word on it would break its parent's.
    pid: u32,
}

type Link = (tokio::runtime::Runtime, Rpc);

macro_rules! question {
    ($(#[$doc:meta])* $name:ident, $call:ident, $request:ident, $response:ident) => {
        $(#[$doc])*
        pub fn $name(&mut self, mut request: proto::$request) -> Result<proto::$response, QueryError> {
            self.leave_to_parent();
            if request.freshness.is_none() {
                request.freshness = Some(self.freshness());
            }
            let (runtime, rpc) = self.link()?;
            runtime.block_on(async {
                let mut waited_ms = 0;
                loop {
                    let status = match rpc.$call(request.clone()).await {
                        Ok(answer) => return Ok(answer.into_inner()),
                        Err(status) => status,
                    };
                    let later = matches!(status.code(), tonic::Code::Unavailable | tonic::Code::ResourceExhausted);
                    if !later || waited_ms >= RETRY_MS_MAX {
                        return Err(refused(&status));
                    }
                    let wait_ms = corral_wire::error::info_of(&status).and_then(|info| info.retry_after_ms).unwrap_or(250);
                    let wait_ms = wait_ms.clamp(20, 2_000);
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                    waited_ms += wait_ms;
                }
            })
        }
    };
}

impl Query {
    pub(crate) fn new(settings: Settings, shared: Option<Arc<Shared>>) -> Self {
        Self { settings, shared, also: Vec::new(), link: None, pid: std::process::id() }
    }

    /// A client that only asks.
    pub fn connect(settings: Settings) -> Self {
        Self::new(settings, None)
    }

    /// From here on answers cover these positions (partition, offset after) too.
    pub fn not_before(&mut self, positions: Vec<(u32, u64)>) {
        self.also = positions;
    }

    /// In a forked child: what was inherited is neither used nor freed (both would speak on the parent's socket, and a
    /// lock may be held for ever by a thread that is not there); a link of its own is made.
    fn leave_to_parent(&mut self) {
        if self.pid != std::process::id() {
            self.pid = std::process::id();
            std::mem::forget((self.link.take(), self.shared.take()));
        }
    }

    fn freshness(&self) -> proto::Freshness {
        let mut positions = self.shared.as_ref().map(|shared| shared.positions()).unwrap_or_default();
        positions.extend(&self.also);
        let pair = |(partition, offset)| proto::PartitionOffset { partition, offset };
        proto::Freshness { not_before: positions.into_iter().map(pair).collect(), as_of_us: None }
    }

    fn link(&mut self) -> Result<(&tokio::runtime::Runtime, &mut Rpc), QueryError> {
        if self.link.is_none() {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(QueryError::Runtime)?;
            let target = endpoint(&self.settings).map_err(QueryError::Url)?;
            let key = self.settings.key_now();
            let channel = {
                let _inside = runtime.enter();
                target.connect_lazy(Duration::from_millis(ANSWER_MS_MAX))
            };
            let rpc = QueryServiceClient::with_interceptor(channel, Authorize::new(key.as_ref()));
            self.link = Some((runtime, rpc.max_decoding_message_size(ANSWER_BYTES_MAX)));
        }
        match &mut self.link {
            Some((runtime, rpc)) => Ok((runtime, rpc)),
            None => Err(QueryError::Url("no connection".to_owned())),
        }
    }

    question!(projects, list_projects, ListProjectsRequest, ListProjectsResponse);
    question!(runs, list_runs, ListRunsRequest, ListRunsResponse);
    question!(run, get_run, GetRunRequest, GetRunResponse);
    question!(history, get_history, GetHistoryRequest, GetHistoryResponse);
}

impl Drop for Query {
    fn drop(&mut self) {
        self.leave_to_parent();
    }
}

fn refused(status: &tonic::Status) -> QueryError {
    let info = corral_wire::error::info_of(status).unwrap_or_default();
    let message = match status.message() {
        "" => status.code().to_string(),
        message => message.to_owned(),
    };
    QueryError::Refused { reason: info.reason, field: info.field, message }
}
