//! The process's own figures in Prometheus' text format.

use std::fmt::{Display, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use corral_archiver::Archiver;
use corral_domain::limits::{INGEST_WINDOW_BYTES_MAX, LOG_QUEUE_BYTES_MAX};
use corral_hub::Hub;
use corral_ingest::IngestDoor;
use corral_projection::runner::Status;
use corral_projector::Projector;
use corral_push::PushDoor;
use corral_tasks::Clock;
use corral_web::gate::Gate;

use crate::archive;
use crate::rebuild::Rebuilder;
use crate::wiring::{Counted, Log, LogFigures};

/// What is read when somebody asks; cheap, and asks no dependency.
pub(crate) struct Figures {
    pub(crate) log: Log,
    pub(crate) ingest: Option<Arc<IngestDoor>>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) sessions: Option<Arc<AtomicUsize>>,
    pub(crate) projector: Option<Projector>,
    pub(crate) archiver: Option<Archiver>,
    pub(crate) push: Option<Arc<PushDoor>>,
    pub(crate) rebuilder: Arc<Rebuilder>,
    pub(crate) hub: Hub,
    pub(crate) counted: Counted,
    pub(crate) clock: Clock,
}

/// A figure of each partition.
type OfPartition<'a> = (&'static str, &'static str, &'a dyn Fn(&Status) -> String);

impl Figures {
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        if let Some(ingest) = &self.ingest {
            door(&mut out, ingest);
        }
        reasons(&mut out, "corral_requests_refused_total", "requests that did not pass the gate", &self.gate.refused());
        if let Some(figures) = self.log.figures() {
            self.log(&mut out, figures);
        }
        if let Some(projector) = &self.projector {
            self.projector(&mut out, projector);
            all(&mut out, &projector.ownership().read());
        }
        all(&mut out, &self.hub.figures().read());
        all(&mut out, &(self.counted)());
        if let Some(push) = &self.push {
            all(&mut out, &push.figures());
        }
        if let Some(archiver) = &self.archiver {
            archive::figures(&mut out, archiver);
        }
        if let Some(sessions) = &self.sessions {
            one(&mut out, "corral_sessions", "live sessions", sessions.load(Ordering::Relaxed));
        }
        let serving = self.rebuilder.serving().build;
        one(&mut out, "corral_read_store_build", "the build that is served", serving.id.0);
        if let Some(bytes) = serving.disk_bytes() {
            let help = "tables and journal of the build that is served";
            one(&mut out, "corral_read_store_disk_bytes", help, bytes);
        }
        out
    }

    fn log(&self, out: &mut String, figures: LogFigures) {
        let LogFigures { appends, records, bytes, syncs, refused, queue_bytes } = figures;
        let queue_max = LOG_QUEUE_BYTES_MAX as u64 * u64::from(self.log.handle().identity().partitions);
        for (name, help, value) in [
            ("corral_log_appends_total", "appends acknowledged", appends),
            ("corral_log_records_total", "records appended", records),
            ("corral_log_bytes_total", "bytes appended, with heads", bytes),
            ("corral_log_syncs_total", "calls of fdatasync for appends", syncs),
            ("corral_log_refused_total", "appends that were not acknowledged", refused),
            ("corral_log_queue_bytes", "bytes that wait to be appended", queue_bytes),
            ("corral_log_queue_bytes_max", "how many may wait", queue_max),
        ] {
            one(out, name, help, value);
        }
    }

    fn projector(&self, out: &mut String, projector: &Projector) {
        let now = self.clock.now();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed).to_string();
        let figures: [OfPartition<'_>; 10] = [
            ("corral_projector_lag_events", "events that wait to be projected", &|s| s.lag_events().to_string()),
            ("corral_projector_lag_seconds", "how far the read store lags behind", &|s| s.lag_seconds(now).to_string()),
            ("corral_projector_applied_total", "events applied", &|s| count(&s.applied)),
            ("corral_projector_skipped_total", "events that were applied before", &|s| count(&s.skipped)),
            ("corral_projector_ahead_total", "events skipped as what lies before them is missing", &|s| {
                count(&s.ahead)
            }),
            ("corral_projector_dead_letters_total", "events refused", &|s| count(&s.dead_letters)),
            ("corral_projector_seals_total", "tails sealed", &|s| count(&s.seals)),
            ("corral_projector_merges_total", "merges of sets", &|s| count(&s.merges)),
            ("corral_projector_reloads_total", "times that state was loaded again", &|s| count(&s.reloads)),
            ("corral_projector_stopped", "1: the partition must not go on", &|s| {
                u8::from(s.stopped().is_some()).to_string()
            }),
        ];
        let statuses = projector.statuses();
        for (name, help, value) in figures {
            head(out, name, help);
            for (partition, status) in &statuses {
                line(out, name, &format!("{{partition=\"{partition}\"}}"), value(status));
            }
        }
    }
}

fn door(out: &mut String, door: &IngestDoor) {
    let counters = door.counters();
    for (name, help, value) in counters.read() {
        one(out, name, help, value);
    }
    reasons(out, "corral_ingest_refused_total", "batches and handshakes refused", &counters.refused());
    one(out, "corral_ingest_window_bytes", "bytes that were read and are not durable", door.window_bytes());
    one(out, "corral_ingest_window_bytes_max", "how many there may be", INGEST_WINDOW_BYTES_MAX);
}

fn all(out: &mut String, figures: &[(&'static str, &'static str, u64)]) {
    for (name, help, value) in figures {
        one(out, name, help, value);
    }
}

fn one(out: &mut String, name: &str, help: &str, value: impl Display) {
    head(out, name, help);
    line(out, name, "", value);
}

/// Reasons are a closed set of texts of ours.
fn reasons(out: &mut String, name: &str, help: &str, counts: &[(&'static str, u64)]) {
    head(out, name, help);
    for (reason, count) in counts {
        line(out, name, &format!("{{reason=\"{reason}\"}}"), count);
    }
}

/// A name that ends in `_total` only rises.
pub(crate) fn head(out: &mut String, name: &str, help: &str) {
    let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
    // Writing to a text cannot fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

pub(crate) fn line(out: &mut String, name: &str, labels: &str, value: impl Display) {
    let _ = writeln!(out, "{name}{labels} {value}");
}
