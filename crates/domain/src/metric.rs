//! A metric: a named series of a run, and its definition.

/// Better when smaller, when larger, or not said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Goal {
    #[default]
    Unspecified = 0,
    Minimize = 1,
    Maximize = 2,
}

/// Which figure of a metric its summary shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SummaryRule {
    /// The value at the highest step, then the latest arrival.
    #[default]
    Last = 0,
    Min = 1,
    Max = 2,
    Mean = 3,
    /// Min or max by the goal; `Last` where the goal is not said.
    Best = 4,
    None = 5,
}

/// `define_metric`: the last definition of a name wins. `name` may end in `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricDef {
    pub name: String,
    /// The metric that is this one's x axis; empty means the step.
    pub step_metric: String,
    pub goal: Goal,
    pub summary: SummaryRule,
}

/// A writer's own number for a name, registered before first use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricRegistered {
    pub id: u32,
    pub name: String,
}
