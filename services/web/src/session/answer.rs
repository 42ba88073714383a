//! Answers as they go over the wire: of a run that its client has, no more than what moved.
//!
//! A point moves a run's row in each list that is looked at; its name, its config and the figures that stand still need not
//! come along each time. Only rows that have moved are kept to compare with: those of runs that live.

use std::collections::HashMap;
use std::time::Duration;

use corral_domain::limits::SESSION_LIST_SPACING_MS;
use corral_query::Body;
use corral_wire::proto::{self, answer::Body as Wire};

/// What the client of one subscription has.
#[derive(Default)]
pub(super) struct Sent {
    /// By id, as sent last, since the last whole answer.
    runs: HashMap<String, proto::Run>,
    figures: bool,
}

impl Sent {
    /// How long the next answer waits for what else changes: figures, in a list or beside a run's charts, are read, and need
    /// not come as fast as a chart's points.
    pub(super) fn rest(&self) -> Duration {
        Duration::from_millis(if self.figures { SESSION_LIST_SPACING_MS } else { 0 })
    }

    pub(super) fn answer(&mut self, subscription: u32, answer: corral_query::Answer) -> proto::Answer {
        let whole = answer.whole;
        if whole {
            self.runs.clear();
        }
        self.figures = !matches!(answer.body, Body::History(_));
        let (body, partial_runs) = match answer.body {
            Body::Projects(body) => (Wire::Projects(corral_wire::projects_to_proto(body)), Vec::new()),
            Body::Runs(body) => {
                let mut body = corral_wire::runs_to_proto(body);
                let partial = if whole { Vec::new() } else { self.shorten(&mut body.runs) };
                (Wire::Runs(body), partial)
            }
            Body::Run(body) => {
                let mut body = corral_wire::run_to_proto(*body);
                let partial = if whole { Vec::new() } else { self.shorten(body.run.as_mut_slice()) };
                (Wire::Run(body), partial)
            }
            Body::History(body) => (Wire::History(corral_wire::history_to_proto(body)), Vec::new()),
        };
        proto::Answer { subscription, whole, body: Some(body), partial_runs }
    }

    /// Leaves out what the client has; the indexes of the rows that something was left out of.
    fn shorten(&mut self, runs: &mut [proto::Run]) -> Vec<u32> {
        let mut partial = Vec::new();
        for (at, run) in (0..).zip(runs) {
            let before = self.runs.insert(run.id.clone(), run.clone());
            if let Some(moved) = before.and_then(|before| moved(&before, run)) {
                *run = moved;
                partial.push(at);
            }
        }
        partial
    }
}

/// What moved of a run; `None` where more than a point moves did.
fn moved(before: &proto::Run, now: &proto::Run) -> Option<proto::Run> {
    let figures: HashMap<&str, _> = now.summary.iter().map(|figure| (figure.key.as_str(), figure)).collect();
    // A figure that is gone cannot be told by leaving it out.
    if still(before) != still(now) || before.summary.iter().any(|figure| !figures.contains_key(figure.key.as_str())) {
        return None;
    }
    let known: HashMap<&str, _> = before.summary.iter().map(|figure| (figure.key.as_str(), figure)).collect();
    Some(proto::Run {
        id: now.id.clone(),
        last_append_us: now.last_append_us,
        max_step: now.max_step,
        points: now.points,
        metrics: now.metrics,
        gap_items: now.gap_items,
        summary: now.summary.iter().filter(|f| known.get(f.key.as_str()) != Some(f)).cloned().collect(),
        ..proto::Run::default()
    })
}

/// The run without what a point moves.
fn still(run: &proto::Run) -> proto::Run {
    proto::Run {
        last_append_us: 0,
        max_step: 0,
        points: 0,
        metrics: 0,
        gap_items: 0,
        summary: Vec::new(),
        ..run.clone()
    }
}

#[cfg(test)]
mod tests;
