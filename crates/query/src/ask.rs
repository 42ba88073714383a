//! Requests, in the program's types: what `query.proto` carries, checked where they are answered.

use corral_domain::{Micros, Offset, Partition, RunId, Take};

/// How fresh an answer must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// Wait (`NOT_BEFORE_WAIT_MS_MAX` at most) until the read store has everything below these offsets.
    pub not_before: Vec<(Partition, Offset)>,
    /// Answer as of this append time; `None`: live.
    pub as_of: Option<Micros>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectsQuery {
    pub freshness: Freshness,
    /// 1 to `PAGE_RUNS_MAX`; 0 means 100.
    pub page_size: u32,
    pub page_token: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunsQuery {
    pub freshness: Freshness,
    /// A project's name or its id.
    pub project: String,
    /// 1 to `PAGE_RUNS_MAX`; 0 means 100.
    pub page_size: u32,
    pub page_token: String,
    /// `None`: newest first.
    pub order: Option<RunOrder>,
}

/// Missing values come last in both directions; ties by run id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOrder {
    pub by: OrderBy,
    pub descending: bool,
}

impl Default for RunOrder {
    fn default() -> Self {
        Self { by: OrderBy::Field(RunField::Created), descending: true }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderBy {
    Field(RunField),
    /// A summary key.
    Summary(String),
    /// A config path, joined by dots.
    Config(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunField {
    Created,
    Name,
    State,
    LastActive,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunQuery {
    pub freshness: Freshness,
    pub run: RunId,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum XAxis {
    #[default]
    Step,
    /// Client time, us.
    Time,
    /// Client time, us since the run was started ([`crate::Run::started`]).
    RelativeTime,
    /// The value of another metric of the run ([`HistoryQuery::x_metric`]).
    Metric,
    /// The value of each metric's step metric where it is defined and was logged, else the step.
    Defined,
}

/// Every run x every metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistoryQuery {
    pub freshness: Freshness,
    pub runs: Vec<RunId>,
    pub metrics: Vec<String>,
    /// 0: raw points; else at most so many buckets a series (`BUCKETS_MAX`).
    pub buckets: u32,
    pub axis: XAxis,
    /// Closed bounds of x; `None`: all. Of a step or a time only.
    pub x_min: Option<i64>,
    pub x_max: Option<i64>,
    /// Of [`XAxis::Metric`]: whose value is x.
    pub x_metric: String,
    /// Closed bounds of x where it is a metric's value.
    pub x_value_min: Option<f64>,
    pub x_value_max: Option<f64>,
    /// `None`: the living take of each run.
    pub take: Option<Take>,
    /// `None`: every label.
    pub label: Option<String>,
    /// For raw points: at most so many in the answer (`ANSWER_POINTS_MAX`; 0 means that many).
    pub points_max: u32,
    pub page_token: String,
}
