//! A run as the training program holds it.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use corral_domain::limits::{ITEM_BYTES_MAX, NAME_BYTES_MAX, RUN_METRICS_MAX};
use corral_domain::metric::{MetricDef, MetricRegistered};
use corral_domain::run::{FinishState, ObjectLogged, Resume, RunAttributesChanged, RunFinished};
use corral_domain::scalar::{ConfigEntry, Scalar};
use corral_domain::{RunEntry, RunId};
use corral_event_codec::{InvalidEvent, decode_run_items, encode_run_items};
use corral_spool::{Spool, WriterIndex};
use corral_tasks::Clock;

use crate::ClientError;
use crate::item;
use crate::row::{Row, Step};
use crate::shared::{LaneStatus, OpenedRun, Shared, lock};

/// Config and summary entries are put into items of about so many bytes.
const ENTRIES_BYTES: usize = 128 * 1024;

/// What opens a run (`EVENTS.md` 6).
#[derive(Clone, Debug)]
pub struct OpenRun {
    pub project: String,
    pub id: RunId,
    pub resume: Resume,
    pub launch_id: String,
    pub label: String,
    pub name: String,
    pub notes: String,
    pub tags: Vec<String>,
    pub group: String,
    pub job_type: String,
    pub config: Vec<ConfigEntry>,
}

/// How far a run's items have come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub items: u64,
    pub sent: u64,
    pub durable: u64,
}

pub struct Run {
    id: RunId,
    clock: Clock,
    spool: Arc<Spool>,
    writer: WriterIndex,
    shared: Arc<Shared>,
    status: Arc<LaneStatus>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    metrics: HashMap<String, u32>,
    next_step: i64,
    /// An explicit step was seen: steps that are not given follow it and no longer count from the run's next step.
    absolute: bool,
    finished: bool,
    step_defined: bool,
}

/// The bytes of an entry, if every reader will take it.
pub(crate) fn checked(entry: &RunEntry) -> Result<Bytes, InvalidEvent> {
    let bytes = encode_run_items(std::slice::from_ref(entry));
    if bytes.len() > ITEM_BYTES_MAX {
        let reason = format!("must be at most {ITEM_BYTES_MAX} bytes, has {}", bytes.len());
        return Err(InvalidEvent { field: "items", reason, item: None });
    }
    decode_run_items(&bytes).map(|_| bytes)
}

impl Run {
    pub(crate) fn new(
        id: RunId,
        clock: Clock,
        (spool, writer): (Arc<Spool>, WriterIndex),
        (shared, status): (Arc<Shared>, Arc<LaneStatus>),
    ) -> Self {
        Self { id, clock, spool, writer, shared, status, state: Mutex::default() }
    }

    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// The run's own number of a metric; a new name is registered in front of whatever uses it.
    pub fn metric(&self, name: &str) -> Result<u32, ClientError> {
        let mut state = lock(&self.state);
        if let Some(id) = state.metrics.get(name) {
            return Ok(*id);
        }
        let id = state.metrics.len() as u32;
        if id >= RUN_METRICS_MAX {
            return Err(ClientError::TooManyMetrics { max: RUN_METRICS_MAX });
        }
        if name.len() > NAME_BYTES_MAX {
            let reason = format!("must be at most {NAME_BYTES_MAX} bytes, has {}", name.len());
            return Err(InvalidEvent { field: "name", reason, item: None }.into());
        }
        let entry = RunEntry::MetricRegistered(MetricRegistered { id, name: name.to_owned() });
        self.control(&entry)?;
        state.metrics.insert(name.to_owned(), id);
        Ok(id)
    }

    /// The step of the next call, if none was given; counts on from one that was.
    pub fn next_step(&self, given: Option<i64>) -> (i64, bool) {
        let mut state = lock(&self.state);
        if let Some(step) = given {
            state.absolute = true;
            state.next_step = step.saturating_add(1);
            return (step, false);
        }
        let step = state.next_step;
        state.next_step = step.saturating_add(1);
        (step, !state.absolute)
    }

    /// Appends one row. Returns as soon as it is in the spool.
    #[inline]
    pub fn log(&self, row: &Row, (step, auto): (i64, bool)) -> Result<(), ClientError> {
        let step = if auto { Step::Auto(step) } else { Step::At(step) };
        let now = self.clock.now().0;
        self.spool.append_with(self.writer, item::ROW, row.encoded_len(), |place| row.encode(step, now, place))?;
        self.shared.appended();
        Ok(())
    }

    /// Appends something that is not a number.
    pub fn log_object(
        &self,
        metric: u32,
        (step, auto): (i64, bool),
        media_type: &str,
        body: Bytes,
    ) -> Result<(), ClientError> {
        let time_us = self.clock.now().0;
        let object = ObjectLogged { metric, step, time_us, media_type: media_type.to_owned(), body };
        let bytes = checked(&RunEntry::Object(object))?;
        let kind = if auto { item::OBJECT_AUTO } else { item::ENTRY };
        self.spool.append(self.writer, kind, &bytes)?;
        self.shared.appended();
        Ok(())
    }

    fn control(&self, entry: &RunEntry) -> Result<(), ClientError> {
        let bytes = checked(entry)?;
        self.spool.append_control(self.writer, item::ENTRY, |_| bytes.to_vec())?;
        self.shared.appended();
        Ok(())
    }

    pub fn define_metric(&self, def: MetricDef) -> Result<(), ClientError> {
        self.control(&RunEntry::MetricDefined(def))
    }

    /// Whether a step was logged that is no whole number: from then on all that are given are the metric `step` too.
    pub fn steps_are_metric(&self) -> bool {
        lock(&self.state).step_defined
    }

    /// Steps that are no whole numbers are a metric named `step`, which is then the axis of all others.
    pub fn define_step_once(&self) {
        if std::mem::replace(&mut lock(&self.state).step_defined, true) {
            return;
        }
        let def = MetricDef { name: "*".to_owned(), step_metric: "step".to_owned(), ..MetricDef::default() };
        if let Err(error) = self.define_metric(def) {
            self.warn("control", "", &format!("a change of the run was not kept: {error}"));
        }
    }

    pub fn set_attributes(&self, change: RunAttributesChanged) -> Result<(), ClientError> {
        self.control(&RunEntry::AttributesChanged(change))
    }

    /// Sends config leaves. One that nobody would take is left out with a warning.
    pub fn set_config(&self, entries: Vec<ConfigEntry>) {
        self.set_entries(entries, RunEntry::ConfigChanged);
    }

    /// Sends summary values that were set by hand.
    pub fn set_summary(&self, entries: Vec<(String, Option<Scalar>)>) {
        self.set_entries(entries, RunEntry::SummaryChanged);
    }

    fn set_entries<T: Clone>(&self, entries: Vec<T>, make: impl Fn(Vec<T>) -> RunEntry) {
        let (mut good, mut bytes) = (Vec::new(), 0);
        for entry in entries {
            match checked(&make(vec![entry.clone()])) {
                Ok(alone) if bytes + alone.len() > ENTRIES_BYTES && !good.is_empty() => {
                    self.control_or_warn(&make(std::mem::take(&mut good)));
                    (good, bytes) = (vec![entry], alone.len());
                }
                Ok(alone) => {
                    bytes += alone.len();
                    good.push(entry);
                }
                Err(error) => self.warn("entry", "", &format!("left out of config or summary: {error}")),
            }
        }
        if !good.is_empty() {
            self.control_or_warn(&make(good));
        }
    }

    fn control_or_warn(&self, entry: &RunEntry) {
        if let Err(error) = self.control(entry) {
            self.warn("control", "", &format!("a change of the run was not kept: {error}"));
        }
    }

    /// Says something on stderr, once for each sort and what it is about (a metric's name) in a process.
    pub fn warn(&self, sort: &'static str, about: &str, text: &str) {
        self.shared.warn(sort, about, text);
    }

    /// The last item of this writer. Nothing can be logged after it. Doing it twice is harmless.
    pub fn finish(&self, state: FinishState, exit_code: Option<i32>, message: &str) -> Result<(), ClientError> {
        {
            let mut own = lock(&self.state);
            if std::mem::replace(&mut own.finished, true) {
                return Ok(());
            }
        }
        let message: String = message.chars().filter(|char| !char.is_control()).take(2_000).collect();
        let finished = self.spool.append_control(self.writer, item::ENTRY, |last_seq| {
            let finished = RunFinished { state, exit_code, message, last_seq };
            encode_run_items(&[RunEntry::Finished(finished)]).to_vec()
        });
        // Also where the last item was not taken: a writer that stays open is a heartbeat for ever.
        let left = self.leave();
        finished?;
        left
    }

    /// Ends this writer without ending the run: for a process that only took part in it.
    pub fn leave(&self) -> Result<(), ClientError> {
        lock(&self.state).finished = true;
        self.spool.close_writer(self.writer)?;
        self.shared.wake();
        Ok(())
    }

    pub fn is_finished(&self) -> bool {
        lock(&self.state).finished
    }

    pub fn progress(&self) -> Progress {
        let durable = self.status.durable.load(Ordering::Relaxed);
        let items = self.spool.reach(self.writer).map_or(durable, |(last, _)| last);
        Progress { items, sent: self.status.sent.load(Ordering::Relaxed).max(durable), durable }
    }

    /// Waits until something moved, or so long; true once everything is durable (or the run was refused).
    pub fn wait(&self, at_most: Duration) -> bool {
        self.shared.hurry.store(true, Ordering::Relaxed);
        self.shared.wake();
        let done = || self.spool.reach(self.writer).is_none_or(|(last, acked)| acked >= last);
        if !done() {
            self.shared.wait_moved(at_most);
        }
        self.shared.hurry.store(false, Ordering::Relaxed);
        done()
    }

    /// What the opening came to, once it is known.
    pub fn opened(&self) -> Option<OpenedRun> {
        lock(&self.status.opened).clone()
    }

    /// Waits for the opening's outcome: for `resume="must"` and `"never"`, where the caller asked for a check.
    pub fn wait_opened(&self, at_most: Duration) -> Option<OpenedRun> {
        let until = self.clock.monotonic() + at_most;
        loop {
            let left = until.saturating_sub(self.clock.monotonic());
            match self.opened() {
                None if !left.is_zero() => self.shared.wait_moved(left.min(Duration::from_millis(200))),
                opened => return opened,
            }
        }
    }
}

#[cfg(test)]
mod tests;
