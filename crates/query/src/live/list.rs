//! Live lists and the live run: asked again when nudged, and only what differs from what was sent goes out.

use std::collections::HashMap;
use std::hash::Hash;

use corral_domain::{Micros, OrganizationId};

use super::Body;
use crate::answer::{ProjectsAnswer, RunAnswer, RunsAnswer};
use crate::engine::Inner;
use crate::{ProjectsQuery, QueryError, RunQuery, RunsQuery};

pub(super) struct LiveProjects {
    query: ProjectsQuery,
    sent: ProjectsAnswer,
}

pub(super) struct LiveRuns {
    query: RunsQuery,
    sent: RunsAnswer,
}

pub(super) struct LiveRun {
    query: RunQuery,
    sent: Option<RunAnswer>,
}

/// What of `now` is not in `before`; `None` if the two hold other things, or the same in another order.
fn changes<T: Clone + PartialEq, K: PartialEq>(before: &[T], now: &[T], key: impl Fn(&T) -> K) -> Option<Vec<T>> {
    if before.len() != now.len() || before.iter().zip(now).any(|(a, b)| key(a) != key(b)) {
        return None;
    }
    Some(before.iter().zip(now).filter(|(a, b)| a != b).map(|(_, b)| b.clone()).collect())
}

/// What of `now` is new or differs; `None` if something of `before` is gone.
fn changed<T: Clone + PartialEq, K: Hash + Eq>(before: &[T], now: &[T], key: impl Fn(&T) -> K) -> Option<Vec<T>> {
    let mut known: HashMap<K, &T> = before.iter().map(|one| (key(one), one)).collect();
    let changed = now.iter().filter(|one| known.remove(&key(one)) != Some(one)).cloned().collect();
    known.is_empty().then_some(changed)
}

type Made = Result<Option<(bool, Body)>, QueryError>;

impl LiveProjects {
    pub(super) fn new(query: ProjectsQuery) -> Self {
        Self { query, sent: ProjectsAnswer::default() }
    }

    pub(super) async fn answer(&mut self, inner: &Inner, organization: OrganizationId, first: bool) -> Made {
        let now = inner.projects(organization, &self.query).await?;
        self.query.freshness.not_before.clear();
        let changed = changes(&self.sent.projects, &now.projects, |project| project.id);
        let same = self.sent.next_page_token == now.next_page_token;
        self.sent = now.clone();
        Ok(match changed.filter(|_| !first && same) {
            None => Some((true, Body::Projects(now))),
            Some(projects) if projects.is_empty() => None,
            Some(projects) => Some((false, Body::Projects(ProjectsAnswer { projects, ..now }))),
        })
    }
}

impl LiveRuns {
    pub(super) fn new(query: RunsQuery) -> Self {
        Self { query, sent: RunsAnswer::default() }
    }

    pub(super) async fn answer(&mut self, inner: &Inner, organization: OrganizationId, first: bool) -> Made {
        let mut now = inner.runs(organization, &self.query).await?;
        self.query.freshness.not_before.clear();
        // A subscription has no pages: a token would only differ each time.
        now.next_page_token.clear();
        let changed = changes(&self.sent.runs, &now.runs, |run| run.id.clone());
        let total = now.total != self.sent.total;
        self.sent = now.clone();
        Ok(match changed.filter(|_| !first) {
            None => Some((true, Body::Runs(now))),
            Some(runs) if runs.is_empty() && !total => None,
            Some(runs) => Some((false, Body::Runs(RunsAnswer { runs, ..now }))),
        })
    }

    pub(super) fn next_change(&self) -> Option<Micros> {
        crate::run_table::next_change(&self.sent)
    }
}

impl LiveRun {
    pub(super) fn new(query: RunQuery) -> Self {
        Self { query, sent: None }
    }

    pub(super) async fn answer(&mut self, inner: &Inner, organization: OrganizationId, first: bool) -> Made {
        let now = inner.run_answer(organization, &self.query).await?;
        self.query.freshness.not_before.clear();
        let before = self.sent.replace(now.clone());
        let Some(before) = before.filter(|before| !first && before.run.take == now.run.take) else {
            return Ok(Some((true, Body::Run(Box::new(now)))));
        };
        let metrics = changed(&before.metrics, &now.metrics, |metric| metric.name.clone());
        let writers = changed(&before.writers, &now.writers, |writer| (writer.writer, writer.epoch));
        let (Some(metrics), Some(writers)) = (metrics, writers) else {
            return Ok(Some((true, Body::Run(Box::new(now)))));
        };
        if metrics.is_empty() && writers.is_empty() && before.run == now.run {
            return Ok(None);
        }
        Ok(Some((false, Body::Run(Box::new(RunAnswer { metrics, writers, ..now })))))
    }

    pub(super) fn next_change(&self) -> Option<Micros> {
        let run = &self.sent.as_ref()?.run;
        crate::run::next_change(run.state, run.last_append)
    }
}
