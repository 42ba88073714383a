//! SIGINT and SIGTERM: the first drains, the second exits at once (which is safe: an acknowledged item is durable).

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{Kind, Tasks};

/// Installs the handlers (before anything is started, so that no signal kills a half-built process) and watches them.
pub fn watch(tasks: &Tasks) -> std::io::Result<()> {
    let mut signals =
        Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? };
    let asked = tasks.clone();
    tasks.spawn("signals", Kind::Telemetry, async move {
        let told = asked.shutdown(Kind::Telemetry);
        let name = tokio::select! { name = signals.next() => name, () = told.cancelled() => return Ok(()) };
        tracing::info!(signal = name, "shutting down; a second signal exits at once");
        asked.stop(0);
        // Listens through the drain, and ends with its last stage.
        let name = tokio::select! { name = signals.next() => name, () = told.cancelled() => return Ok(()) };
        tracing::warn!(signal = name, "second signal: exiting at once");
        // 128 + SIGINT, as a shell would report it.
        std::process::exit(130);
    });
    Ok(())
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
