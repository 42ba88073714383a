//! Live history: buckets are kept per series, and only tail rows above the position sent are read and folded into them.
//!
//! A fresh answer is due when a range has outgrown its width, another take began, or rows above the position sent may
//! have been sealed and deleted since (two turns of the run).

use std::collections::HashMap;

use corral_domain::{Offset, OrganizationId, Partition, RunId};
use corral_read_store::state::RunStateRow;

use super::Body;
use crate::answer::{Columns, HistoryAnswer, Series};
use crate::bucket::Buckets;
use crate::engine::Inner;
use crate::freshness::Cut;
use crate::history::{RunView, bucket_series};
use crate::run::started;
use crate::series::{Placed, Select, SeriesRead, View, XColumn, chosen, fold_tail, place, range};
use crate::{HistoryQuery, QueryError, XAxis, planted};
use corral_domain::limits::{ANSWER_POINTS_MAX, ANSWER_SERIES_MAX};

/// Metrics of one run that advance together.
const PART_METRICS_MAX: usize = 32;
/// Values of an x metric that a part keeps for points to come, by label; behind them a fresh answer is due.
const X_POINTS_KEPT: usize = if cfg!(test) { 16 } else { 4_096 };

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
    view: View,
    x: Option<String>,
    /// What the x metric logged last, by label.
    x_columns: HashMap<String, XColumn>,
    sent: RunStateRow,
    series: HashMap<u32, Sent>,
}

/// A series that was sent.
struct Sent {
    reference: u32,
    /// `None`: raw points.
    buckets: Option<Kept>,
    without_x: u64,
}

struct Kept {
    buckets: Buckets,
    /// What they cover; `None`: nothing yet.
    range: Option<(i64, i64)>,
}

/// What became of one part since it was sent.
struct News {
    state: RunStateRow,
    series: Vec<(SeriesRead, Placed)>,
    x_columns: HashMap<String, XColumn>,
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
            for chunk in of_run.chunks(0, PART_METRICS_MAX) {
                let select = Select {
                    metrics: &self.query.metrics[chunk.metrics.clone()],
                    take: Some(of_run.take),
                    label: self.query.label.as_deref(),
                    x: chunk.x.as_deref(),
                };
                let view = of_run.view_of(&chunk);
                let read = inner.read_series(organization, run, select, &view).await?;
                let mut part = Part {
                    run: run.clone(),
                    partition: inner.partition_of(organization, run),
                    metrics: chunk.metrics,
                    of_run: of_run.clone(),
                    view,
                    x: chunk.x,
                    x_columns: HashMap::new(),
                    sent: read.state,
                    series: HashMap::new(),
                };
                for series in &read.series {
                    fresh.add_whole(&mut part, series, &mut answer)?;
                    tokio::task::yield_now().await;
                }
                drop(read.series);
                let alone = |(label, column)| (label, std::sync::Arc::unwrap_or_clone(column));
                part.keep_x(read.x_columns.into_iter().map(alone).collect());
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
        let (columns, xs, without_x, buckets) = if self.query.buckets == 0 {
            let Placed { points, xs, without } = self.raw(series, part, answer)?;
            if points.is_empty() && without == 0 {
                return Ok(());
            }
            (Columns::Raw(points), xs, without, None)
        } else {
            let Some(bucketed) = bucket_series(series, &part.view, self.query.buckets)? else { return Ok(()) };
            let columns = Columns::Buckets(bucketed.buckets.columns(None));
            let kept = Kept { buckets: bucketed.buckets, range: bucketed.range };
            (columns, Vec::new(), bucketed.without_x, Some(kept))
        };
        self.references += 1;
        let reference = self.references;
        let name = &self.query.metrics[part.metrics.start + series.metric];
        let answered = series.answer(&part.run, name, columns).on(&part.x, without_x).at(&xs);
        answer.series.push(Series { reference, ..answered });
        part.series.insert(series.index, Sent { reference, buckets, without_x });
        Ok(())
    }

    /// All raw points of a series; a subscription has no pages, so they must fit one answer.
    fn raw(&self, series: &SeriesRead, part: &Part, answer: &HistoryAnswer) -> Result<Placed, QueryError> {
        let sent: usize = answer.series.iter().map(|series| series.columns.rows()).sum();
        let most = if self.query.points_max == 0 { ANSWER_POINTS_MAX } else { self.query.points_max as usize };
        let mut all = Placed::default();
        let mut fits = true;
        all.without = series.for_each_x(&part.view, true, |more, xs| {
            fits &= sent + all.points.len() + more.len() <= most;
            if fits {
                all.points.extend(more, 0..more.len());
                all.xs.extend_from_slice(xs);
            }
        })?;
        if fits {
            return Ok(all);
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
            let axes = &part.of_run.axes;
            let another_axis = self.query.axis == XAxis::Defined
                && inner.axes(organization, &part.run, &self.query, &now).await? != *axes;
            if another_axis || self.begins_anew(part, &now) || now.turn >= part.sent.turn.saturating_add(2) {
                return Ok(Step::Whole);
            }
            match self.news_of(inner, organization, part, now).await? {
                Some(news) => all.push((at, news)),
                None => return Ok(Step::Whole),
            }
        }
        Ok(if all.is_empty() { Step::Nothing } else { Step::News(all) })
    }

    /// Whether what was sent is of another take, or counted from another start.
    fn begins_anew(&self, part: &Part, now: &RunStateRow) -> bool {
        let another_take = now.take != part.sent.take;
        let start = || started(part.view.started, (now.points, now.first_point_us));
        (self.query.take.is_none() && now.take != part.of_run.take)
            || (self.query.axis == XAxis::RelativeTime && (another_take || start() != part.view.started))
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
        if planted::bug(planted::RESUMES_TOO_FAR) {
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
            x: part.x.as_deref(),
        };
        let x_metric: Vec<String> = part.x.iter().cloned().collect();
        let mut series = chosen(&dictionary, &now, select);
        let mut of_x = chosen(&dictionary, &now, Select { metrics: &x_metric, ..select });
        fold_tail(&mut dictionary, &rows, &mut series, &part.view).await?;
        fold_tail(&mut dictionary, &rows, &mut of_x, &part.view).await?;
        series.retain(|series| !series.tail().is_empty());
        let mut news = News { state: now, series: Vec::new(), x_columns: HashMap::new() };
        for one in of_x.iter().filter(|one| !one.tail().is_empty()) {
            let column = news.x_columns.entry(one.label.clone()).or_default();
            column.extend(one.tail());
            column.sort();
        }
        for one in series {
            let placed = if part.x.is_some() {
                let columns: Vec<&XColumn> = [&news.x_columns, &part.x_columns]
                    .into_iter()
                    .filter_map(|columns| columns.get(&one.label))
                    .collect();
                match place(one.tail(), &part.view, &columns) {
                    Some(placed) => placed,
                    None => return Ok(None),
                }
            } else {
                Placed { points: one.tail().clone(), xs: part.view.xs(one.tail()), without: 0 }
            };
            if !placed.xs.is_empty() || placed.without > 0 {
                news.series.push((one, placed));
            }
        }
        Ok(Some(news))
    }

    /// Whether every range still has the width it was sent with.
    fn fits(&self, news: &[(usize, News)]) -> bool {
        news.iter().all(|(at, news)| {
            let part = &self.parts[*at];
            news.series.iter().all(|(series, placed)| {
                match part.series.get(&series.index).and_then(|sent| sent.buckets.as_ref()) {
                    None => true,
                    Some(kept) => range(kept.range, &placed.xs)
                        .is_none_or(|range| part.view.width(range, self.query.buckets) == kept.buckets.width()),
                }
            })
        })
    }

    fn fold(&mut self, at: usize, news: News, answer: &mut HistoryAnswer) {
        for (series, Placed { points, xs, without }) in news.series {
            let part = &mut self.parts[at];
            let known = part.series.contains_key(&series.index);
            let count = self.query.buckets;
            let references = &mut self.references;
            let sent = part.series.entry(series.index).or_insert_with(|| {
                *references += 1;
                let covered = range(None, &xs);
                let kept =
                    Kept { buckets: Buckets::new(part.view.width(covered.unwrap_or_default(), count)), range: None };
                Sent { reference: *references, buckets: (count > 0).then_some(kept), without_x: 0 }
            });
            sent.without_x += without;
            let columns = match &mut sent.buckets {
                None => Columns::Raw(points),
                Some(kept) => {
                    kept.range = range(kept.range, &xs);
                    let mut touched = Buckets::new(kept.buckets.width());
                    touched.fold(&xs, &points.values);
                    kept.buckets.fold(&xs, &points.values);
                    let touched: Vec<i64> = touched.list().iter().map(|bucket| bucket.index).collect();
                    Columns::Buckets(kept.buckets.columns(Some(&touched)))
                }
            };
            let (reference, without_x) = (sent.reference, sent.without_x);
            let xs = if count == 0 { &xs[..] } else { &[] };
            let name = &self.query.metrics[part.metrics.start + series.metric];
            let answered = series.answer(&part.run, name, columns).on(&part.x, without_x).at(xs);
            answer.series.push(Series { reference, known, ..answered });
        }
        let part = &mut self.parts[at];
        part.keep_x(news.x_columns);
        part.sent = news.state;
    }
}

impl Part {
    /// Keeps what the x metric logged: points to come may be placed by it.
    fn keep_x(&mut self, later: HashMap<String, XColumn>) {
        for (label, column) in later {
            let kept = self.x_columns.entry(label).or_default();
            kept.append(column);
            kept.forget_all_but(X_POINTS_KEPT);
        }
    }
}
