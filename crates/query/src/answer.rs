//! Answers, in the program's types.

use corral_domain::metric::{Goal, SummaryRule};
use corral_domain::{Actor, Micros, Position, ProjectId, RunId, RunState, Take, Value, WriterId};
use corral_read_store::piece::Points;

/// What an answer is worth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Everything below these offsets is in the answer.
    pub position: Position,
    /// Everything appended up to this time is in the answer.
    pub complete_through: Micros,
    /// The `as_of` lies after `complete_through`: ask again.
    pub open: bool,
    /// A partition is stopped; the answer is as of this time.
    pub stale_since: Option<Micros>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProjectsAnswer {
    pub projects: Vec<Project>,
    pub next_page_token: String,
    pub meta: Meta,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    pub id: ProjectId,
    pub name: String,
    pub created: Micros,
    pub actor: String,
    pub runs: u64,
    pub last_active: Micros,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunsAnswer {
    pub runs: Vec<Run>,
    pub next_page_token: String,
    /// All runs of the project.
    pub total: u64,
    pub meta: Meta,
}

/// A figure of a run's summary.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// A metric's figure, exact in its type.
    Value(Value),
    /// Set by hand: JSON text.
    Json(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub id: RunId,
    pub project: ProjectId,
    pub name: String,
    /// Silent and crashed are derived from the last append and the clock.
    pub state: RunState,
    pub notes: String,
    pub tags: Vec<String>,
    pub group: String,
    pub job_type: String,
    pub actor: String,
    pub created: Micros,
    /// Client time of the living take's first point where that lies before `created`, else `created`: a run that was
    /// logged without a server is created late.
    pub started: Micros,
    pub last_append: Micros,
    pub finished: Option<Micros>,
    pub exit_code: Option<i32>,
    pub message: String,
    pub take: Take,
    pub max_step: i64,
    pub points: u64,
    pub metrics: u32,
    pub gap_items: u64,
    pub summary: Vec<(String, Figure)>,
    /// (path, JSON text). A list's runs carry the leaves that fit a head, their paths joined by dots.
    pub config: Vec<(Vec<String>, String)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RunAnswer {
    /// With the whole config and every summary key.
    pub run: Run,
    pub metrics: Vec<Metric>,
    pub writers: Vec<RunWriter>,
    pub meta: Meta,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunWriter {
    pub writer: WriterId,
    pub epoch: u32,
    pub actor: Actor,
    pub label: String,
    pub last_seq: u64,
    pub take: Take,
    pub gap_items: u64,
}

/// A metric of a run, over the points of the living take, all labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    pub name: String,
    pub step_metric: String,
    pub goal: Goal,
    pub summary: SummaryRule,
    pub count: u64,
    pub nan_count: u64,
    /// Over values that are not NaN; `None` if there is none.
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub mean: Option<f64>,
    pub last: Option<Value>,
    pub last_step: i64,
    pub labels: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistoryAnswer {
    pub series: Vec<Series>,
    pub next_page_token: String,
    pub meta: Meta,
}

/// One series' points or buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Names the series in later deltas of the same subscription, from 1.
    pub reference: u32,
    /// Sent before under this reference: the wire leaves out what identifies it.
    pub known: bool,
    pub run: RunId,
    pub metric: String,
    pub label: String,
    pub take: Take,
    /// The metric whose value is x; empty where x is the step or a time.
    pub x_metric: String,
    /// Points so far that have no x, and are left out.
    pub without_x: u64,
    /// Of raw points: their x where it is a metric's value; else empty.
    pub x: Vec<f64>,
    pub columns: Columns,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Columns {
    /// In read order: by append time.
    Raw(Points),
    Buckets(BucketColumns),
}

impl Columns {
    pub fn rows(&self) -> usize {
        match self {
            Self::Raw(points) => points.len(),
            Self::Buckets(buckets) => buckets.index.len(),
        }
    }
}

/// Bucket i covers `[index * width, (index + 1) * width)` of x. Empty buckets are not there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BucketColumns {
    /// A power of two; 0 where x is a metric's value.
    pub width: u64,
    /// Where x is a metric's value: a power of two, which may be a fraction; else 0.
    pub x_width: f64,
    /// floor(x / width), rising.
    pub index: Vec<i64>,
    /// Points, NaN ones too.
    pub count: Vec<u32>,
    /// Over values that are not NaN (NaN where there is none).
    pub min: Vec<f64>,
    pub max: Vec<f64>,
    pub mean: Vec<f64>,
    /// The value at the highest x, then the latest arrival, among values that are not NaN.
    pub last: Vec<f64>,
    pub nan_count: Vec<u32>,
    /// The value at the lowest x, then the earliest arrival, among values that are NaN or infinite; 0 where there is none.
    pub first_non_finite: Vec<f64>,
    /// Where x is a metric's value: the highest x in the bucket; else empty.
    pub x: Vec<f64>,
}
