//! Subscriptions: a question whose answer is sent whole, then what lies above the position sent.
//!
//! A subscription hears nudges, never polls, and sends nothing while nothing it shows has changed. Answers never go back
//! in position. Whoever is slow to ask for the next answer gets what happened meanwhile in one.

use std::sync::Arc;
use std::time::Duration;

use corral_domain::{Micros, OrganizationId, Position, StreamKey};
use tokio::time::Instant;

use crate::answer::{HistoryAnswer, ProjectsAnswer, RunAnswer, RunsAnswer};
use crate::engine::{Engine, Inner};
use crate::watch::{Changed, Interest, Wanted};
use crate::{HistoryQuery, ProjectsQuery, QueryError, RunQuery, RunsQuery};

mod history;
mod list;

use history::LiveHistory;
use list::{LiveProjects, LiveRun, LiveRuns};

/// Answers of one subscription are at least so far apart.
const SPACING_MS_MIN: u64 = 100;
/// An answer that took long to make is not made again before ten times as long.
const SPACING_PER_WORK: u32 = 10;
/// How long a subscription waits after the read store could not answer.
const RETRY_MS: u64 = 1_000;

#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    Projects(ProjectsQuery),
    Runs(RunsQuery),
    Run(RunQuery),
    History(HistoryQuery),
}

/// An answer to merge into what was sent before, or to replace it by: projects and runs by id, metrics by name, series by
/// reference, buckets by index; raw points are added behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Replace everything.
    pub whole: bool,
    pub body: Body,
    /// Everything below is in what was sent so far.
    pub position: Position,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    Projects(ProjectsAnswer),
    Runs(RunsAnswer),
    Run(Box<RunAnswer>),
    History(HistoryAnswer),
}

/// One living question. Dropping it ends it.
pub struct Subscription {
    inner: Arc<Inner>,
    organization: OrganizationId,
    question: Question,
    interest: Interest,
    /// What changed and was not answered yet.
    changed: Changed,
    started: bool,
    pinned: bool,
    /// Not before then.
    earliest: Option<Instant>,
    position: Position,
}

enum Question {
    Projects(LiveProjects),
    Runs(LiveRuns),
    Run(Box<LiveRun>),
    History(LiveHistory),
}

impl Engine {
    /// Subscribes; the first [`Subscription::next`] is the whole answer.
    pub fn subscribe(&self, organization: OrganizationId, query: Query) -> Result<Subscription, QueryError> {
        let streams = |runs: &[corral_domain::RunId]| {
            Wanted::Streams(runs.iter().map(|run| StreamKey::run(organization, run)).collect())
        };
        let (token, freshness, wanted) = match &query {
            Query::Projects(query) => (&query.page_token, &query.freshness, Wanted::Organization(organization)),
            Query::Runs(query) => (&query.page_token, &query.freshness, Wanted::Organization(organization)),
            Query::Run(query) => (&String::new(), &query.freshness, streams(std::slice::from_ref(&query.run))),
            Query::History(query) => (&query.page_token, &query.freshness, streams(&query.runs)),
        };
        if !token.is_empty() {
            return Err(QueryError::unsupported("page_token", "a subscription has no pages"));
        }
        let pinned = freshness.as_of.is_some();
        if let Query::History(query) = &query {
            crate::history::check(query)?;
        }
        let interest = self.0.watch.register(wanted);
        let question = match query {
            Query::Projects(query) => Question::Projects(LiveProjects::new(query)),
            Query::Runs(query) => Question::Runs(LiveRuns::new(query)),
            Query::Run(query) => Question::Run(Box::new(LiveRun::new(query))),
            Query::History(query) => Question::History(LiveHistory::new(query)),
        };
        Ok(Subscription {
            inner: self.0.clone(),
            organization,
            question,
            interest,
            changed: Changed::Nothing,
            started: false,
            pinned,
            earliest: None,
            position: Position::default(),
        })
    }
}

impl Subscription {
    /// The next answer, once there is one; `None` where there will be no other (an answer as of a moment). After an error
    /// the subscription is over. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Option<Answer>, QueryError> {
        loop {
            if self.started {
                if self.pinned {
                    return Ok(None);
                }
                self.wait().await;
            }
            self.changed.merge(self.interest.take());
            let began = Instant::now();
            let made = self.question.answer(&self.inner, self.organization, !self.started).await;
            let spacing = (began.elapsed() * SPACING_PER_WORK).max(Duration::from_millis(SPACING_MS_MIN));
            match made {
                Ok(made) => {
                    self.changed = Changed::Nothing;
                    self.earliest = Some(Instant::now() + spacing);
                    self.started = true;
                    if let Some((whole, body)) = made {
                        return Ok(Some(self.send(whole, body)));
                    }
                }
                Err(error) if self.started && error.is_retryable() => {
                    self.changed = Changed::Everything;
                    self.earliest = Some(Instant::now() + Duration::from_millis(RETRY_MS));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Until something may have changed and an answer is allowed again.
    async fn wait(&mut self) {
        if self.changed == Changed::Nothing {
            let due = self.question.next_change();
            let now = self.inner.clock.now();
            let silence = async move {
                match due {
                    Some(due) => {
                        // The clock is read again when this is over: a timer may be early.
                        let left = due.0.saturating_sub(now.0).max(0) as u64;
                        tokio::time::sleep(Duration::from_micros(left) + Duration::from_millis(1)).await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.interest.changed() => {}
                () = silence => {}
            }
        }
        if let Some(earliest) = self.earliest {
            tokio::time::sleep_until(earliest).await;
        }
    }

    fn send(&mut self, whole: bool, mut body: Body) -> Answer {
        let meta = match &mut body {
            Body::Projects(answer) => &mut answer.meta,
            Body::Runs(answer) => &mut answer.meta,
            Body::Run(answer) => &mut answer.meta,
            Body::History(answer) => &mut answer.meta,
        };
        for (partition, offset) in &meta.position.0 {
            self.position.advance(*partition, *offset);
        }
        // Never back: what was said before still holds.
        meta.position = self.position.clone();
        Answer { whole, body, position: self.position.clone() }
    }
}

impl Question {
    /// What to send: (whole, body); `None` where nothing that is shown has changed.
    async fn answer(
        &mut self,
        inner: &Inner,
        organization: OrganizationId,
        first: bool,
    ) -> Result<Option<(bool, Body)>, QueryError> {
        match self {
            Self::Projects(live) => live.answer(inner, organization, first).await,
            Self::Runs(live) => live.answer(inner, organization, first).await,
            Self::Run(live) => live.answer(inner, organization, first).await,
            Self::History(live) => live.answer(inner, organization, first).await,
        }
    }

    /// When what is shown changes by the clock alone.
    fn next_change(&self) -> Option<Micros> {
        match self {
            Self::Runs(live) => live.next_change(),
            Self::Run(live) => live.next_change(),
            Self::Projects(_) | Self::History(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
