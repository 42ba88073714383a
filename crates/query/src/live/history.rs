//! Live history: buckets are kept per series, and only tail rows above the position sent are read and folded into them.
//!
//! A fresh answer is due when a range has outgrown its width, another take began, or rows above the position sent may
//! have been sealed and deleted since (two turns of the run).

use std::collections::HashMap;

use corral_domain::{Offset, OrganizationId, Partition, RunId};
use corral_read_store::piece::{Header, Points};
use corral_read_store::state::RunStateRow;

use super::Body;
use crate::answer::{Columns, HistoryAnswer, Series};
use crate::bucket::{Buckets, Width};
use crate::engine::Inner;
use crate::freshness::Cut;
use crate::history::RunView;
use crate::series::{Select, SeriesRead, chosen, fold_tail};
use crate::{HistoryQuery, QueryError, planted};
use corral_domain::limits::{ANSWER_POINTS_MAX, ANSWER_SERIES_MAX};

/// Metrics of one run that advance together.
const PART_METRICS_MAX: usize = 32;

pub(super) struct LiveHistory {
    query: HistoryQuery,
    parts: Vec<Part>,
    references: u32,
}

/// Some metrics of one run, and the state up to which they were sent.
struct Part {
    run: RunId,
    partition: Partition,
    metrics: std::ops::Range<usize>,
    of_run: RunView,
    sent: RunStateRow,
    series: HashMap<u32, Sent>,
}

/// A series that was sent.
struct Sent {
    reference: u32,
    /// `None`: raw points.
    buckets: Option<Kept>,
}

struct Kept {
    buckets: Buckets,
    min: i64,
    max: i64,
}

/// What became of one part since it was sent.
struct News {
    state: RunStateRow,
    series: Vec<SeriesRead>,
}

enum Step {
    Nothing,
    News(Vec<(usize, News)>),
    /// Everything must be read afresh.
    Whole,
}

impl LiveHistory {
    pub(super) fn new(query: HistoryQuery) -> Self {
        Self { query, parts: Vec::new(), references: 0 }
    }

    pub(super) async fn answer(
        &mut self,
        inner: &Inner,
        organization: OrganizationId,
        first: bool,
    ) -> Result<Option<(bool, Body)>, QueryError> {
        if first {
            return self.whole(inner, organization).await;
        }
        let partitions = self.partitions();
        let cut = inner.checkpoints(&partitions).await?;
        let news = match self.read_news(inner, organization).await? {
            Step::Nothing => return Ok(None),
            Step::Whole => return self.whole(inner, organization).await,
            Step::News(news) => news,
        };
        if !self.fits(&news) {
            return self.whole(inner, organization).await;
        }
        // No await from here on: what is folded is sent.
        let mut answer = HistoryAnswer { meta: cut.meta(None), ..HistoryAnswer::default() };
        for (at, news) in news {
            self.fold(at, news, &mut answer);
        }
        answer.meta.position = self.position(&cut);
        Ok((!answer.series.is_empty()).then_some((false, Body::History(answer))))
    }

    fn partitions(&self) -> Vec<Partition> {
        let mut partitions: Vec<Partition> = self.parts.iter().map(|part| part.partition).collect();
        partitions.sort_unstable();
        partitions.dedup();
        partitions
    }

    /// Everything below is in what was sent: the checkpoints that were read before, or what every run of a partition has
    /// applied.
    fn position(&self, cut: &Cut) -> corral_domain::Position {
        let mut position = corral_domain::Position::default();
        for partition in self.partitions() {
            let of = self.parts.iter().filter(|part| part.partition == partition);
            let applied: Offset = of.map(|part| part.sent.applied_through).min().unwrap_or_default();
            position.advance(partition, cut.offset(partition).max(applied));
        }
        position
    }

    async fn whole(&mut self, inner: &Inner, organization: OrganizationId) -> Result<Option<(bool, Body)>, QueryError> {
        let mut partitions: Vec<Partition> =
            self.query.runs.iter().map(|run| inner.partition_of(organization, run)).collect();
        partitions.sort_unstable();
        partitions.dedup();
        let cut = inner.cut(&self.query.freshness, &partitions).await?;
        let mut fresh = Self::new(self.query.clone());
        let mut answer = HistoryAnswer { meta: cut.meta(self.query.freshness.as_of), ..HistoryAnswer::default() };
        for run in &self.query.runs {
            let Some(of_run) = inner.run_view(organization, run, &self.query).await? else { continue };
            for from in (0..self.query.metrics.len()).step_by(PART_METRICS_MAX) {
                let metrics = from..self.query.metrics.len().min(from + PART_METRICS_MAX);
                let select = Select {
                    metrics: &self.query.metrics[metrics.clone()],
                    take: Some(of_run.take),
                    label: self.query.label.as_deref(),
                };
                let read = inner.read_series(organization, run, select, &of_run.view).await?;
                let mut part = Part {
                    run: run.clone(),
                    partition: inner.partition_of(organization, run),
                    metrics: metrics.clone(),
                    of_run: RunView { view: of_run.view, take: of_run.take },
                    sent: read.state,
                    series: HashMap::new(),
                };
                for series in &read.series {
                    fresh.add_whole(&mut part, series, &mut answer)?;
                    tokio::task::yield_now().await;
                }
                fresh.parts.push(part);
            }
        }
        if answer.series.len() > ANSWER_SERIES_MAX {
            let reason = format!("an answer has at most {ANSWER_SERIES_MAX} series: name a label");
            return Err(QueryError::invalid("label", reason));
        }
        answer.meta.position = fresh.position(&cut);
        fresh.query.freshness.not_before.clear();
        *self = fresh;
        Ok(Some((true, Body::History(answer))))
    }

    fn add_whole(
        &mut self,
        part: &mut Part,
        series: &SeriesRead,
        answer: &mut HistoryAnswer,
    ) -> Result<(), QueryError> {
        let view = &part.of_run.view;
        let Some((min, max)) = series.x_range(view)? else { return Ok(()) };
        self.references += 1;
        let reference = self.references;
        let (columns, buckets) = if self.query.buckets == 0 {
            let points = self.raw(series, part, answer)?;
            (Columns::Raw(points), None)
        } else {
            let mut buckets = Buckets::new(Width::covering(min, max, self.query.buckets));
            series.for_each(view, false, |points| view.fold(points, &mut buckets))?;
            (Columns::Buckets(buckets.columns(None)), Some(Kept { buckets, min, max }))
        };
        let name = &self.query.metrics[part.metrics.start + series.metric];
        answer.series.push(Series { reference, ..series.answer(&part.run, name, columns) });
        part.series.insert(series.index, Sent { reference, buckets });
        Ok(())
    }

    /// All raw points of a series; a subscription has no pages, so they must fit one answer.
    fn raw(&self, series: &SeriesRead, part: &Part, answer: &HistoryAnswer) -> Result<Points, QueryError> {
        let sent: usize = answer.series.iter().map(|series| series.columns.rows()).sum();
        let most = if self.query.points_max == 0 { ANSWER_POINTS_MAX } else { self.query.points_max as usize };
        let mut points = Points::default();
        let mut fits = true;
        series.for_each(&part.of_run.view, true, |more| {
            fits &= sent + points.len() + more.len() <= most;
            if fits {
                points.extend(more, 0..more.len());
            }
        })?;
        if fits {
            return Ok(points);
        }
        Err(QueryError::unsupported(
            "points_max",
            "a subscription has no pages, and there are more points: ask for buckets",
        ))
    }

    /// What the parts' runs got since they were sent. Changes nothing here.
    async fn read_news(&self, inner: &Inner, organization: OrganizationId) -> Result<Step, QueryError> {
        let mut all = Vec::new();
        let mut state: Option<(&RunId, RunStateRow)> = None;
        for (at, part) in self.parts.iter().enumerate() {
            let now = match &state {
                Some((run, now)) if **run == part.run => now.clone(),
                _ => inner.opened_state(organization, &part.run).await?,
            };
            state = Some((&part.run, now.clone()));
            if now.applied_through <= part.sent.applied_through {
                continue;
            }
            let another_take = self.query.take.is_none() && now.take != part.of_run.take;
            if another_take || now.turn >= part.sent.turn.saturating_add(2) {
                return Ok(Step::Whole);
            }
            match self.news_of(inner, organization, part, now).await? {
                Some(news) => all.push((at, news)),
                None => return Ok(Step::Whole),
            }
        }
        Ok(if all.is_empty() { Step::Nothing } else { Step::News(all) })
    }

    /// The points of a part above what was sent; `None` if some of them may be gone from the tail.
    async fn news_of(
        &self,
        inner: &Inner,
        organization: OrganizationId,
        part: &Part,
        now: RunStateRow,
    ) -> Result<Option<News>, QueryError> {
        let mut from = part.sent.applied_through;
        if planted::bug(13) {
            from = from.next();
        }
        let run = &part.run;
        let mut rows = Vec::new();
        if now.seals != part.sent.seals {
            // The bucket that was sealed meanwhile is readable until the turn after the next.
            rows = inner.tail_rows(organization, run, part.sent.seals, (from, now.sealed)).await?;
            from = from.max(now.sealed);
        }
        rows.extend(inner.tail_rows(organization, run, now.seals, (from, now.applied_through)).await?);
        let later = inner.opened_state(organization, run).await?;
        if later.turn >= part.sent.turn.saturating_add(2) {
            return Ok(None);
        }
        let mut dictionary = inner.dictionary(organization, run, &now).await?;
        let select = Select {
            metrics: &self.query.metrics[part.metrics.clone()],
            take: Some(part.of_run.take),
            label: self.query.label.as_deref(),
        };
        let mut series = chosen(&dictionary, &now, select);
        fold_tail(&mut dictionary, &rows, &mut series, &part.of_run.view).await?;
        series.retain(|series| !series.tail().is_empty());
        Ok(Some(News { state: now, series }))
    }

    /// Whether every range still has the width it was sent with.
    fn fits(&self, news: &[(usize, News)]) -> bool {
        news.iter().all(|(at, news)| {
            let part = &self.parts[*at];
            news.series.iter().all(|series| {
                match part.series.get(&series.index).and_then(|sent| sent.buckets.as_ref()) {
                    None => true,
                    Some(kept) => {
                        let (min, max) = part.of_run.view.range(&Header::of(series.tail()));
                        let (min, max) = (min.min(kept.min), max.max(kept.max));
                        Width::covering(min, max, self.query.buckets) == kept.buckets.width()
                    }
                }
            })
        })
    }

    fn fold(&mut self, at: usize, news: News, answer: &mut HistoryAnswer) {
        for series in &news.series {
            let part = &mut self.parts[at];
            let view = part.of_run.view;
            let (min, max) = view.range(&Header::of(series.tail()));
            let known = part.series.contains_key(&series.index);
            let count = self.query.buckets;
            let references = &mut self.references;
            let sent = part.series.entry(series.index).or_insert_with(|| {
                *references += 1;
                let kept = Kept { buckets: Buckets::new(Width::covering(min, max, count)), min, max };
                Sent { reference: *references, buckets: (count > 0).then_some(kept) }
            });
            let columns = match &mut sent.buckets {
                None => Columns::Raw(series.tail().clone()),
                Some(kept) => {
                    (kept.min, kept.max) = (kept.min.min(min), kept.max.max(max));
                    let mut touched = Buckets::new(kept.buckets.width());
                    view.fold(series.tail(), &mut touched);
                    view.fold(series.tail(), &mut kept.buckets);
                    let touched: Vec<i64> = touched.list().iter().map(|bucket| bucket.index).collect();
                    Columns::Buckets(kept.buckets.columns(Some(&touched)))
                }
            };
            let reference = sent.reference;
            let name = &self.query.metrics[part.metrics.start + series.metric];
            answer.series.push(Series { reference, known, ..series.answer(&part.run, name, columns) });
        }
        self.parts[at].sent = news.state;
    }
}
