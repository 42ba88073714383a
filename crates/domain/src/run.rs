//! A run: one execution of a training program, and the items of its stream.

use crate::id::{CommandId, ProjectId};
use crate::metric::{MetricDef, MetricRegistered};
use crate::point::StepGroup;
use crate::scalar::{ConfigEntry, Scalar};
use bytes::Bytes;

/// One life of a run's history, from 1. A rewind or a restart without resume opens the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Take(pub u32);

/// What `resume=` asks for when the run exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resume {
    /// `resume=None`: the same launch joins, another opens a new take.
    #[default]
    Unspecified = 0,
    /// Go on if it exists, else create.
    Allow = 1,
    /// Refused unless it exists.
    Must = 2,
    /// Refused if it exists.
    Never = 3,
}

/// Item 1 of every writer. Decided by the projection in log order (`EVENTS.md` 6).
#[derive(Clone, Debug, PartialEq)]
pub struct RunOpened {
    pub command_id: CommandId,
    /// As the client wrote it; the door resolves it to `project`.
    pub project_name: String,
    /// Set by the door before the append; `None` only on the wire.
    pub project: Option<ProjectId>,
    pub resume: Resume,
    pub launch_id: String,
    /// The writer's label: "" unless ranks want series of their own.
    pub label: String,
    /// Empty: the run's id is shown.
    pub name: String,
    pub notes: String,
    pub tags: Vec<String>,
    pub group: String,
    pub job_type: String,
}

impl RunOpened {
    /// An opening with `resume=None` that says nothing of the run but where it belongs.
    pub fn new(command_id: CommandId, project_name: &str, launch_id: &str) -> Self {
        Self {
            command_id,
            project_name: project_name.to_owned(),
            project: None,
            resume: Resume::Unspecified,
            launch_id: launch_id.to_owned(),
            label: String::new(),
            name: String::new(),
            notes: String::new(),
            tags: Vec::new(),
            group: String::new(),
            job_type: String::new(),
        }
    }
}

/// Attributes changed after the opening; `None` leaves one as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunAttributesChanged {
    pub name: Option<String>,
    pub notes: Option<String>,
    pub tags: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishState {
    Finished = 1,
    Failed = 2,
}

/// The run ended in this writer; names the writer's last seq so that completeness is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFinished {
    pub state: FinishState,
    pub exit_code: Option<i32>,
    pub message: String,
    pub last_seq: u64,
}

/// Text, histogram, table, media reference: kept from day one even where no panel draws it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectLogged {
    pub metric: u32,
    pub step: i64,
    pub time_us: i64,
    /// As a MIME type, e.g. `text/plain`.
    pub media_type: String,
    pub body: Bytes,
}

/// Why a writer's items are replaced by a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// The spool was full and dropped its oldest items.
    SpoolFull = 1,
    /// The door refused the item.
    Refused = 2,
    /// The spool's bytes were damaged.
    Damaged = 3,
}

/// "Items `[from, to]` will never come": counts as the items it replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapAccepted {
    pub from: u64,
    pub to: u64,
    pub why: GapReason,
    pub detail: String,
}

/// An entry of a run's record, in seq order. A step group covers `rows` items, a gap those it replaces, all others one.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEntry {
    Points(StepGroup),
    Object(ObjectLogged),
    Opened(Box<RunOpened>),
    Finished(RunFinished),
    ConfigChanged(Vec<ConfigEntry>),
    /// Set by hand (`run.summary["x"] = 1`); `None` removes.
    SummaryChanged(Vec<(String, Option<Scalar>)>),
    AttributesChanged(RunAttributesChanged),
    MetricRegistered(MetricRegistered),
    MetricDefined(MetricDef),
    Gap(GapAccepted),
}

impl RunEntry {
    /// How many items of the writer's seq the entry covers.
    pub fn items(&self) -> u64 {
        match self {
            Self::Points(group) => u64::from(group.rows),
            Self::Gap(gap) => gap.to.saturating_sub(gap.from).saturating_add(1),
            _ => 1,
        }
    }
}

/// The last state event in the current take, in log order. Silent and crashed are derived at read from the last append.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunState {
    #[default]
    Running = 1,
    Finished = 2,
    Failed = 3,
    /// Derived at read: running, and nothing was appended for 60 s.
    Silent = 4,
    /// Derived at read: running, and nothing was appended for 5 min.
    Crashed = 5,
}
