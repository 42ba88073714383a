//! A run's metrics: aggregates over everything sealed, with the tail folded on top by the projector's own function.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use corral_domain::{Micros, OrganizationId, RunId, Take, Value};
use corral_read_store::layout::KeyBytes;
use corral_read_store::metric::{self, DICTIONARY_ROWS, MetricDefRow};
use corral_read_store::piece::Points;
use corral_read_store::series::{SeriesStat, SeriesStatRow};
use corral_read_store::stat::Arrival;
use corral_read_store::state::RunStateRow;
use corral_read_store::{Range, Row, Table};

use crate::answer::{Figure, Metric};
use crate::dictionary::Dictionary;
use crate::engine::Inner;
use crate::series::{Select, View};
use crate::{QueryError, XAxis};

/// How often a look at the aggregates begins again because a seal went by.
const LOOK_TURNS_MAX: usize = 16;
/// Metrics whose points are read at a time for a moment in the past.
const METRICS_AT_ONCE_MAX: usize = 32;

/// A metric and what its summary shows.
pub(crate) struct MetricFigure {
    pub(crate) metric: Metric,
    pub(crate) figure: Option<Value>,
    pub(crate) max_step: i64,
}

impl Inner {
    /// Figures of every metric of the living take, in the order of the run's dictionary.
    pub(crate) async fn figures_now(
        &self,
        organization: OrganizationId,
        run: &RunId,
        first: &RunStateRow,
    ) -> Result<Vec<MetricFigure>, QueryError> {
        let mut state = first.clone();
        for _ in 0..LOOK_TURNS_MAX {
            let stats = self.stats(organization, run, &state).await?;
            let now = self.opened_state(organization, run).await?;
            match stats {
                Some(stats) if now.turn < state.turn.saturating_add(2) => {
                    let dictionary = self.dictionary(organization, run, &state).await?;
                    let defs = self.definitions(organization, run).await?;
                    return Ok(figures(&dictionary, &defs, state.take, &stats));
                }
                _ => state = now,
            }
        }
        Err(QueryError::unavailable("the run is being merged faster than it can be read"))
    }

    /// Every series' aggregate of the living take as the state counts it; `None`: the state is too old.
    async fn stats(
        &self,
        organization: OrganizationId,
        run: &RunId,
        state: &RunStateRow,
    ) -> Result<Option<HashMap<u32, SeriesStat>>, QueryError> {
        let mut stats: HashMap<u32, SeriesStat> = HashMap::new();
        let mut from = 0;
        while from < state.series {
            let partition = metric::dictionary_partition(organization, run, from);
            let to = from.saturating_add(DICTIONARY_ROWS).min(state.series);
            let key = |index| KeyBytes::new().u32(index).build();
            let rows = self.scan_all(Table::SeriesStat, &partition, Range::between(key(from), key(to), 0)).await?;
            for (clustering, value) in rows {
                let index = index_of(&clustering)?;
                match SeriesStatRow::decode(&value)?.at(state.seals) {
                    Some(stat) => stats.insert(index, stat.clone()),
                    None => return Ok(None),
                };
            }
            from = to;
        }
        let mut dictionary = self.dictionary(organization, run, state).await?;
        dictionary.load_tail(state).await?;
        for (series, points) in dictionary.tail().iter() {
            add_points(stats.entry(*series).or_default(), points);
        }
        Ok(Some(stats))
    }

    /// Figures of every metric as of a moment, and the last append among its points.
    pub(crate) async fn figures_as_of(
        &self,
        organization: OrganizationId,
        run: &RunId,
        (take, as_of): (Take, Micros),
    ) -> Result<(Vec<MetricFigure>, Micros), QueryError> {
        let state = self.opened_state(organization, run).await?;
        let names: Vec<String> = {
            let dictionary = self.dictionary(organization, run, &state).await?;
            (0..state.metrics).filter_map(|metric| dictionary.name(metric)).map(|name| name.to_string()).collect()
        };
        let view = View {
            axis: XAxis::Step,
            started: Micros(0),
            of_steps: false,
            min: i64::MIN,
            max: i64::MAX,
            as_of: Some(as_of),
        };
        let mut stats: HashMap<u32, SeriesStat> = HashMap::new();
        let mut last = Micros(0);
        for metrics in names.chunks(METRICS_AT_ONCE_MAX) {
            let select = Select { metrics, take: Some(take), label: None, x: None };
            for series in self.read_series(organization, run, select, &view).await?.series {
                let stat = stats.entry(series.index).or_default();
                series.for_each(&view, true, |points| {
                    last = last.max(Micros(points.appended_us.last().copied().unwrap_or_default()));
                    add_points(stat, points);
                })?;
                tokio::task::yield_now().await;
            }
        }
        stats.retain(|_, stat| stat.count > 0);
        let dictionary = self.dictionary(organization, run, &state).await?;
        let defs = self.definitions(organization, run).await?;
        let mut figures = figures(&dictionary, &defs, take, &stats);
        // A metric without a point by then was not there.
        figures.retain(|figure| figure.metric.count > 0);
        Ok((figures, last))
    }

    pub(crate) async fn definitions(
        &self,
        organization: OrganizationId,
        run: &RunId,
    ) -> Result<BTreeMap<String, MetricDefRow>, QueryError> {
        let partition = metric::def_key(organization, run, "").partition;
        let rows = self.scan_all(Table::MetricDef, &partition, Range::default()).await?;
        let mut defs = BTreeMap::new();
        for (name, value) in rows {
            let name = String::from_utf8(name.to_vec());
            let name = name.map_err(|_| QueryError::Damaged("a definition's key is not UTF-8".to_owned()))?;
            defs.insert(name, MetricDefRow::decode(&value)?);
        }
        Ok(defs)
    }
}

/// Adds points in read order, which is log order.
fn add_points(stat: &mut SeriesStat, points: &Points) {
    for row in 0..points.len() {
        let (step, time_us, appended_us) = (points.steps[row], points.times_us[row], points.appended_us[row]);
        stat.add(Arrival { step, time_us, appended_us, value: points.values.get(row) });
    }
}

fn index_of(clustering: &Bytes) -> Result<u32, QueryError> {
    let bytes = clustering.as_ref().try_into();
    bytes.map(u32::from_be_bytes).map_err(|_| QueryError::Damaged("a series' key is not an index".to_owned()))
}

/// Joins the labels of each metric.
fn figures(
    dictionary: &Dictionary,
    defs: &BTreeMap<String, MetricDefRow>,
    take: Take,
    stats: &HashMap<u32, SeriesStat>,
) -> Vec<MetricFigure> {
    let mut by_metric: BTreeMap<u32, (SeriesStat, Vec<String>)> = BTreeMap::new();
    for index in 0..dictionary.series_count() {
        let (Some(row), Some(stat)) = (dictionary.series(index), stats.get(&index)) else { continue };
        if row.take == take {
            let (all, labels) = by_metric.entry(row.metric).or_default();
            all.merge(stat);
            labels.push(row.label.clone());
        }
    }
    let mut figures = Vec::with_capacity(by_metric.len());
    for (metric, (stat, labels)) in by_metric {
        let Some(name) = dictionary.name(metric) else { continue };
        let def = metric::definition(defs, name);
        let rule = def.map(MetricDefRow::rule).unwrap_or_default();
        let goal = def.map(MetricDefRow::goal).unwrap_or_default();
        let numbers = stat.count > stat.nan_count;
        figures.push(MetricFigure {
            figure: stat.figure(rule, goal),
            max_step: stat.max_step,
            metric: Metric {
                name: name.to_string(),
                step_metric: def.map(|def| def.step_metric.clone()).unwrap_or_default(),
                goal,
                summary: rule,
                count: stat.count,
                nan_count: stat.nan_count,
                min: numbers.then_some(stat.min),
                max: numbers.then_some(stat.max),
                mean: stat.mean(),
                last: stat.last(),
                last_step: stat.last_step,
                labels,
            },
        });
    }
    figures
}

/// A run's summary: what its metrics show, and what was set by hand, which has the last word.
pub(crate) fn summary(figures: &[MetricFigure], by_hand: Vec<(String, String)>) -> Vec<(String, Figure)> {
    let set: HashMap<&str, &str> = by_hand.iter().map(|(key, json)| (key.as_str(), json.as_str())).collect();
    let mut summary: Vec<(String, Figure)> = figures
        .iter()
        .filter(|figure| !set.contains_key(figure.metric.name.as_str()))
        .filter_map(|figure| Some((figure.metric.name.clone(), Figure::Value(figure.figure?))))
        .collect();
    summary.extend(by_hand.into_iter().map(|(key, json)| (key, Figure::Json(json))));
    summary
}
