//! Owns every task and thread of the process: names them, hears their ends, and drains them in order.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

use crate::{Kind, Shutdown, Stage};

/// Why a task ended; printed once, here.
pub type TaskError = Box<dyn std::error::Error + Send + Sync>;

/// A handle on the supervisor; cheap to clone.
#[derive(Clone)]
pub struct Tasks(Arc<Inner>);

struct Inner {
    stages: [Shutdown; Stage::ALL.len()],
    /// The exit code asked for; the first failure keeps its code.
    stop: watch::Sender<Option<u8>>,
    /// Tasks that live, per stage.
    live: [watch::Sender<usize>; Stage::ALL.len()],
    /// How to drop them. A thread has none: it can only be told.
    running: Mutex<BTreeMap<u64, Running>>,
    next: AtomicU64,
}

struct Running {
    name: String,
    kind: Kind,
    abort: Option<AbortHandle>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self(Arc::new(Inner {
            stages: Default::default(),
            stop: watch::Sender::new(None),
            live: std::array::from_fn(|_| watch::Sender::new(0)),
            running: Mutex::default(),
            next: AtomicU64::new(0),
        }))
    }
}

impl Tasks {
    pub fn new() -> Self {
        Self::default()
    }

    /// What a task of this kind must listen to.
    pub fn shutdown(&self, kind: Kind) -> Shutdown {
        self.0.stages[kind.stage() as usize].clone()
    }

    /// Spawns on the current runtime. `name` is for people: it need not be unique.
    pub fn spawn<F>(&self, name: impl Into<String>, kind: Kind, future: F)
    where
        F: Future<Output = Result<(), TaskError>> + Send + 'static,
    {
        let guard = self.register(name.into(), kind);
        let (id, tasks) = (guard.id, self.clone());
        #[allow(clippy::disallowed_methods, reason = "this is where tasks are spawned")]
        let handle = tokio::spawn(async move {
            // The guard moves into the task: a task that is dropped counts as ended too.
            let guard = guard;
            let end = catch_unwind(future).await;
            guard.ended(end);
        });
        if let Some(running) = tasks.running().get_mut(&id) {
            running.abort = Some(handle.abort_handle());
        }
    }

    /// Starts a thread of its own for work that blocks; it must look at its [`Shutdown`].
    pub fn spawn_thread<F>(&self, name: impl Into<String>, kind: Kind, work: F) -> std::io::Result<()>
    where
        F: FnOnce() -> Result<(), TaskError> + Send + 'static,
    {
        let name = name.into();
        let guard = self.register(name.clone(), kind);
        std::thread::Builder::new().name(name).spawn(move || {
            let end = std::panic::catch_unwind(AssertUnwindSafe(work));
            guard.ended(end.unwrap_or_else(|panic| Err(panic_text(panic.as_ref()).into())));
        })?;
        Ok(())
    }

    /// Runs blocking work on the runtime's blocking pool and hands back its answer; an error means that it panicked or
    /// that the process ends.
    pub async fn run_blocking<T, F>(&self, name: &'static str, work: F) -> Result<T, TaskError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        // Dropping the handle leaves the work running, so that a caller that goes away cannot tear it in two.
        tokio::task::spawn_blocking(move || {
            let _ = sender.send(std::panic::catch_unwind(AssertUnwindSafe(work)));
        });
        match receiver.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(panic)) => Err(format!("{name} {}", panic_text(panic.as_ref())).into()),
            Err(_) => Err(format!("{name} was dropped: the process ends").into()),
        }
    }

    /// Asks the process to drain and exit with `code`; a failure's code is never replaced by a later one.
    pub fn stop(&self, code: u8) {
        self.0.stop.send_if_modified(|asked| match asked {
            None => {
                *asked = Some(code);
                true
            }
            Some(0) if code != 0 => {
                *asked = Some(code);
                true
            }
            Some(_) => false,
        });
    }

    /// Returns when the process was asked to stop.
    pub async fn stopping(&self) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.0.stop.subscribe().wait_for(Option::is_some).await;
    }

    /// Waits for [`Tasks::stop`] or a critical failure, drains stage by stage, and says how to exit.
    pub async fn run(&self) -> ExitCode {
        ExitCode::from(self.run_to_code().await)
    }

    async fn run_to_code(&self) -> u8 {
        self.stopping().await;
        for stage in Stage::ALL {
            self.0.stages[stage as usize].cancel();
            let mut live = self.0.live[stage as usize].subscribe();
            if tokio::time::timeout(stage.drain_max(), live.wait_for(|count| *count == 0)).await.is_err() {
                self.drop_stage(stage);
            }
        }
        self.0.stop.borrow().unwrap_or_default()
    }

    fn drop_stage(&self, stage: Stage) {
        for task in self.running().values().filter(|task| task.kind.stage() == stage) {
            tracing::warn!(task = task.name, ?stage, "did not end within its bound, dropped");
            if let Some(abort) = &task.abort {
                abort.abort();
            }
        }
    }

    fn register(&self, name: String, kind: Kind) -> Guard {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.running().insert(id, Running { name, kind, abort: None });
        self.0.live[kind.stage() as usize].send_modify(|count| *count += 1);
        Guard { tasks: self.clone(), id }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<u64, Running>> {
        // Nothing panics while it holds the lock; were it to, the table would still be whole.
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a task as living until it is dropped, however it ends.
struct Guard {
    tasks: Tasks,
    id: u64,
}

impl Guard {
    /// The kind says what this end means.
    fn ended(self, end: Result<(), TaskError>) {
        let Some((name, kind)) = self.tasks.running().get(&self.id).map(|r| (r.name.clone(), r.kind)) else { return };
        let told = self.tasks.shutdown(kind).is_cancelled();
        match end {
            Ok(()) if told || !kind.is_critical() => tracing::debug!(task = name, "ended"),
            Ok(()) => {
                tracing::error!(task = name, ?kind, "critical task ended before it was told to: shutting down");
                self.tasks.stop(1);
            }
            Err(error) if kind.is_critical() => {
                tracing::error!(task = name, ?kind, %error, "critical task failed: shutting down");
                self.tasks.stop(1);
            }
            Err(error) => tracing::warn!(task = name, ?kind, %error, "task failed"),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let ended = self.tasks.running().remove(&self.id);
        if let Some(task) = ended {
            self.tasks.0.live[task.kind.stage() as usize].send_modify(|count| *count -= 1);
        }
    }
}

/// A panic is an error with a text: the process decides by the task's kind, not by where it happened.
async fn catch_unwind<F: Future<Output = Result<(), TaskError>>>(future: F) -> Result<(), TaskError> {
    let mut future = std::pin::pin!(future);
    let polled = std::future::poll_fn(|context| {
        let poll = std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        match poll {
            Ok(poll) => poll.map(Ok),
            Err(panic) => std::task::Poll::Ready(Err(panic)),
        }
    });
    match polled.await {
        Ok(end) => end,
        Err(panic) => Err(panic_text(panic.as_ref()).into()),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("no text"))
}

#[cfg(test)]
mod tests;
