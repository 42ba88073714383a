//! Raw points in pages: in read order, series after series, each point once however the run is merged meanwhile.

use corral_domain::limits::ANSWER_POINTS_MAX;
use corral_domain::{OrganizationId, RunId, Take};
use corral_read_store::part;
use corral_read_store::piece::Points;

use super::{READ_SERIES_MAX, Reached, check_series, question};
use crate::answer::{Columns, HistoryAnswer};
use crate::engine::Inner;
use crate::series::{Select, SeriesRead, View};
use crate::token;
use crate::{HistoryQuery, QueryError};

part! {
    /// Where a raw answer goes on.
    pub struct Place {
        run: String,
        take: Take,
        metric: String,
        label: String,
        /// Points of that series that were answered.
        points: u64,
    }
}

/// A page that is being filled.
struct Page<'a> {
    query: &'a HistoryQuery,
    /// Where it begins.
    place: Option<Place>,
    left: usize,
    answer: &'a mut HistoryAnswer,
    next: Option<Place>,
}

struct Part {
    points: Points,
    xs: Vec<i64>,
    /// There are points behind.
    more: bool,
    without_x: u64,
}

impl Inner {
    pub(super) async fn raw(
        &self,
        organization: OrganizationId,
        query: &HistoryQuery,
        answer: &mut HistoryAnswer,
        reached: &mut Reached,
    ) -> Result<(), QueryError> {
        let question = question(organization, query);
        let place: Option<Place> = token::decode(question, &query.page_token)?;
        let left = if query.points_max == 0 { ANSWER_POINTS_MAX } else { query.points_max as usize };
        let first = place.as_ref().and_then(|place| query.runs.iter().position(|run| run.as_str() == place.run));
        let mut page = Page { query, place, left, answer, next: None };
        for (number, run) in query.runs.iter().enumerate().skip(first.unwrap_or(0)) {
            if first != Some(number) {
                page.place = None;
            }
            self.raw_run(organization, run, &mut page, reached).await?;
            if let Some(next) = page.next {
                answer.next_page_token = token::encode(question, &next);
                return Ok(());
            }
        }
        Ok(())
    }

    async fn raw_run(
        &self,
        organization: OrganizationId,
        run: &RunId,
        page: &mut Page<'_>,
        reached: &mut Reached,
    ) -> Result<(), QueryError> {
        let Some(of_run) = self.run_view(organization, run, page.query).await? else { return Ok(()) };
        let place = page.place.as_ref();
        let take = place.map_or(of_run.take, |place| place.take);
        let all = &page.query.metrics;
        let first = place.and_then(|place| all.iter().position(|name| *name == place.metric)).unwrap_or(0);
        for chunk in of_run.chunks(first, READ_SERIES_MAX) {
            let (metrics, view) = (&all[chunk.metrics.clone()], of_run.view_of(&chunk));
            let label = page.query.label.as_deref();
            let select = Select { metrics, take: Some(take), label, x: chunk.x.as_deref() };
            let read = self.read_series(organization, run, select, &view).await?;
            reached.add(self.partition_of(organization, run), &read.state);
            for series in &read.series {
                page.add(run, (&metrics[series.metric], &chunk.x), series, &view)?;
                if page.next.is_some() {
                    return Ok(());
                }
                // Decoding is work: let others have a turn, and the caller go away.
                tokio::task::yield_now().await;
            }
            check_series(page.answer.series.len())?;
        }
        Ok(())
    }
}

impl Page<'_> {
    /// Adds what fits of a series; notes where to go on if not all did.
    fn add(
        &mut self,
        run: &RunId,
        (metric, x): (&str, &Option<String>),
        series: &SeriesRead,
        view: &View,
    ) -> Result<(), QueryError> {
        let answered = match self.place.as_ref().filter(|place| place.metric == metric) {
            Some(place) if series.label < place.label => return Ok(()),
            Some(place) if series.label == place.label => place.points,
            _ => 0,
        };
        let part = part_of(series, view, answered, self.left)?;
        let points = part.points.len();
        self.left -= points;
        // What is left out is told once, with the series' first page.
        let without_x = if answered == 0 { part.without_x } else { 0 };
        if points > 0 || without_x > 0 {
            let answered = series.answer(run, metric, Columns::Raw(part.points));
            self.answer.series.push(answered.on(x, without_x).at(&part.xs));
        }
        if part.more {
            self.next = Some(Place {
                run: run.to_string(),
                take: series.take,
                metric: metric.to_owned(),
                label: series.label.clone(),
                points: answered + points as u64,
            });
        }
        Ok(())
    }
}

/// At most `take` points of a series behind the first `skip`, in read order.
fn part_of(series: &SeriesRead, view: &View, skip: u64, take: usize) -> Result<Part, QueryError> {
    let mut part = Part { points: Points::default(), xs: Vec::new(), more: false, without_x: 0 };
    let mut seen = 0_u64;
    part.without_x = series.for_each_x(view, true, |points, xs| {
        let from = skip.saturating_sub(seen).min(points.len() as u64) as usize;
        let to = (from + take - part.points.len()).min(points.len());
        part.points.extend(points, from..to);
        part.xs.extend_from_slice(&xs[from..to]);
        part.more |= to < points.len();
        seen += points.len() as u64;
    })?;
    Ok(part)
}
