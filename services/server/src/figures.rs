//! The process's own figures in Prometheus' text format.

use std::fmt::{Display, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use corral_ingest::Counters;
use corral_projection::runner::Status;
use corral_projector::Projector;
use corral_tasks::Clock;

use crate::rebuild::Rebuilder;

/// What is read when somebody asks; cheap, and asks no dependency.
pub(crate) struct Figures {
    pub(crate) ingest: Arc<Counters>,
    pub(crate) projector: Projector,
    pub(crate) rebuilder: Arc<Rebuilder>,
    pub(crate) clock: Clock,
}

/// A figure of each partition.
type OfPartition<'a> = (&'static str, &'static str, &'a dyn Fn(&Status) -> String);

impl Figures {
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        for (name, help, value) in self.ingest.read() {
            head(&mut out, name, help);
            line(&mut out, name, "", value);
        }
        self.projector(&mut out);
        head(&mut out, "corral_read_store_disk_bytes", "tables and journal of the build that is served");
        line(&mut out, "corral_read_store_disk_bytes", "", self.rebuilder.serving().build.disk_bytes());
        out
    }

    fn projector(&self, out: &mut String) {
        let now = self.clock.now();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed).to_string();
        let figures: [OfPartition<'_>; 9] = [
            ("corral_projector_lag_events", "events that wait to be projected", &|s| s.lag_events().to_string()),
            ("corral_projector_lag_seconds", "how far the read store lags behind", &|s| s.lag_seconds(now).to_string()),
            ("corral_projector_applied_total", "events applied", &|s| count(&s.applied)),
            ("corral_projector_skipped_total", "events that deduplication left out", &|s| count(&s.skipped)),
            ("corral_projector_dead_letters_total", "events refused", &|s| count(&s.dead_letters)),
            ("corral_projector_seals_total", "tails sealed", &|s| count(&s.seals)),
            ("corral_projector_merges_total", "merges of sets", &|s| count(&s.merges)),
            ("corral_projector_reloads_total", "times that state was loaded again", &|s| count(&s.reloads)),
            ("corral_projector_stopped", "1: the partition must not go on", &|s| {
                u8::from(s.stopped().is_some()).to_string()
            }),
        ];
        let statuses = self.projector.statuses();
        for (name, help, value) in figures {
            head(out, name, help);
            for (partition, status) in statuses.iter().enumerate() {
                line(out, name, &format!("{{partition=\"{partition}\"}}"), value(status));
            }
        }
    }
}

/// A name that ends in `_total` only rises.
fn head(out: &mut String, name: &str, help: &str) {
    let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
    // Writing to a text cannot fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(out: &mut String, name: &str, labels: &str, value: impl Display) {
    let _ = writeln!(out, "{name}{labels} {value}");
}
