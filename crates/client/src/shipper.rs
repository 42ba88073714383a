//! The shipper: a thread that sends what the spools hold, for as long as the process lives.
//!
//! It owns lanes (one a writer, of this process's spool and of adopted ones) and goes round: connect, say hello, open each
//! lane, send, hear; when the connection ends it waits and connects again. Nothing it does can fail a training program.

mod backoff;
mod lane;
mod session;
mod sources;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use corral_spool::Spool;
use corral_tasks::Clock;

use self::backoff::Backoff;
use self::lane::Lane;
use self::session::Ended;
use self::sources::Sources;
use crate::ClientError;
use crate::settings::Settings;
use crate::shared::Shared;

/// How often a client looks for the rings of ended processes.
const ORPHANS_EVERY_MS: u64 = 30_000;
/// How long it may take, when everything is closed, to hear what is still in flight.
const RUNTIME_END_MS_MAX: u64 = 200;
/// Between two tries to connect while somebody waits for everything to be durable: the end of a program is short.
const HURRY_MS_MAX: u64 = 1_000;

pub(crate) struct Shipper {
    settings: Settings,
    clock: Clock,
    shared: Arc<Shared>,
    sources: Sources,
    lanes: Vec<Lane>,
    next_handle: u32,
    next_orphans_ms: u64,
}

impl Shipper {
    pub(crate) fn start(
        settings: Settings,
        clock: Clock,
        spool: Arc<Spool>,
        shared: Arc<Shared>,
    ) -> Result<JoinHandle<()>, ClientError> {
        let io = |what| move |source| ClientError::Io { what, source };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io("make a runtime"))?;
        let sources = Sources::new(spool);
        let shipper = Self { settings, clock, shared, sources, lanes: Vec::new(), next_handle: 1, next_orphans_ms: 0 };
        let body = move || {
            runtime.block_on(shipper.run());
            runtime.shutdown_timeout(Duration::from_millis(RUNTIME_END_MS_MAX));
        };
        std::thread::Builder::new().name("corral-shipper".into()).spawn(body).map_err(io("start the shipper"))
    }

    async fn run(mut self) {
        let mut backoff = Backoff::new();
        while !self.shared.stopping() {
            self.gather();
            if self.lanes.is_empty() {
                self.sleep(self.next_orphans_ms.saturating_sub(self.clock.monotonic_ms())).await;
                continue;
            }
            let wait_ms = match self.session(&mut backoff).await {
                Ended::Stopped => return,
                Ended::Idle => 0,
                Ended::Drained { reconnect_after_ms } => backoff.spread(reconnect_after_ms),
                Ended::Lost(why) => {
                    let wait_ms = backoff.next_ms();
                    self.shared.set_trouble(Some(why.clone()));
                    self.shared.moved();
                    if backoff.failures() == 1 + backoff::QUIET_FAILURES {
                        self.shared.warn(
                            "lost",
                            "",
                            &format!("{why}; logging goes on into {}", self.sources.own().path().display()),
                        );
                    }
                    wait_ms
                }
            };
            self.wait_to_reconnect(wait_ms, &backoff).await;
        }
    }

    /// Takes up new runs, and looks for orphans when it is time.
    fn gather(&mut self) {
        for new in self.shared.take_lanes() {
            self.lanes.push(Lane::new(new, self.next_handle));
            self.next_handle += 1;
        }
        let now = self.clock.monotonic_ms();
        if now >= self.next_orphans_ms {
            self.next_orphans_ms = now + ORPHANS_EVERY_MS;
            for new in self.sources.adopt(&self.settings, &self.shared) {
                self.lanes.push(Lane::new(new, self.next_handle));
                self.next_handle += 1;
            }
        }
        self.lanes.retain(|lane| !lane.is_done());
        self.sources.close_done(&self.lanes);
    }

    /// Sleeps until it is woken, or so long.
    async fn sleep(&self, ms: u64) {
        self.shared.set_idle(true);
        let _ = tokio::time::timeout(Duration::from_millis(ms.max(1)), self.shared.woken()).await;
        self.shared.set_idle(false);
    }

    /// New items do not cut this short, but the end does; and who waits for everything to be durable has no minute.
    async fn wait_to_reconnect(&self, ms: u64, backoff: &Backoff) {
        let mut until = self.clock.monotonic_ms() + ms;
        let hurried_ms = backoff.spread(HURRY_MS_MAX);
        loop {
            let now = self.clock.monotonic_ms();
            if self.shared.hurry.load(Ordering::Relaxed) {
                until = until.min(now + hurried_ms);
            }
            let left = until.saturating_sub(now);
            if left == 0 || self.shared.stopping() {
                return;
            }
            let _ = tokio::time::timeout(Duration::from_millis(left), self.shared.woken()).await;
        }
    }
}

#[cfg(test)]
mod tests;
