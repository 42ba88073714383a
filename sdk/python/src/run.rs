//! A run: `log()` and what is rarer.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use corral_client::{OpenedRun, ROW_COLUMNS_MAX, Row};
use corral_domain::Value;
use corral_domain::metric::{Goal, MetricDef, SummaryRule};
use corral_domain::run::{FinishState, RunAttributesChanged};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyList, PyMapping, PyString};

use crate::scalar::{config_entries, summary_entries};
use crate::shape::{Shape, Shapes};
use crate::value::{Found, any, plain};

/// Dicts in dicts.
const NESTING_MAX: usize = 32;
/// A text that is logged; what is beyond is cut off.
const TEXT_BYTES_MAX: usize = 200 * 1024;
/// Of a name that a warning is about.
const NAME_CHARS_SHOWN: usize = 64;

#[pyclass(frozen)]
pub(crate) struct Run {
    run: corral_client::Run,
    calls: Mutex<Calls>,
}

/// Used again for every call.
#[derive(Default)]
struct Calls {
    row: Row,
    shapes: Shapes,
}

/// What a call that is not plain brought, in the order of the dict, the last of a name last.
#[derive(Default)]
struct Slow {
    points: Vec<(String, Value)>,
    texts: Vec<(String, String)>,
}

impl Run {
    pub(crate) fn new(run: corral_client::Run) -> Self {
        Self { run, calls: Mutex::default() }
    }

    /// The step that a call is for; a step that is none of a whole number becomes a metric.
    fn step(&self, step: Option<&Bound<'_, PyAny>>) -> ((i64, bool), Option<f64>) {
        let Some(step) = step.filter(|step| !step.is_none()) else { return (self.run.next_step(None), None) };
        if let Ok(step) = step.cast_exact::<PyInt>().map_err(drop).and_then(|step| step.extract::<i64>().map_err(drop))
        {
            return self.whole_step(step);
        }
        match any(step) {
            Found::Point(Value::I64(step)) => self.whole_step(step),
            Found::Point(value @ (Value::F64(_) | Value::F32(_))) => {
                let step = value.as_f64();
                let whole = step as i64;
                if whole as f64 == step && step.abs() < 9.0e18 {
                    return self.whole_step(whole);
                }
                (self.run.next_step(None), Some(step))
            }
            _ => {
                self.run.warn("step", "", "a step is a whole number of 64 bits (or a float, which becomes the metric `step`); this one is left out");
                (self.run.next_step(None), None)
            }
        }
    }

    /// Among steps that are fractions a whole one is a fraction too: the row that it is in may be theirs.
    fn whole_step(&self, step: i64) -> ((i64, bool), Option<f64>) {
        let as_metric = self.run.steps_are_metric().then_some(step as f64);
        (self.run.next_step(Some(step)), as_metric)
    }

    /// True if every value was plain and the row is complete; runs no Python code, so the dict cannot change meanwhile.
    fn fast(&self, data: &Bound<'_, PyDict>, calls: &mut Calls) -> Result<bool, corral_client::ClientError> {
        let Calls { row, shapes } = calls;
        row.clear();
        let len = data.len();
        if len > ROW_COLUMNS_MAX {
            return Ok(false);
        }
        let Some((first, _)) = data.iter().next() else { return Ok(true) };
        let shape = shapes.find(len, &first);
        let mut made: Option<Shape> = if shape.is_some() { None } else { Some(Shape::default()) };
        for (at, (key, value)) in data.iter().enumerate() {
            let value = match plain(&value) {
                Some(Found::Point(value)) => value,
                // Rare, and it would leave holes in the shape.
                _ => return Ok(false),
            };
            let metric = match shape.and_then(|shape| shape.metric(at, &key)) {
                Some(metric) => metric,
                None => {
                    let Ok(name) = key.cast_exact::<PyString>() else { return Ok(false) };
                    let metric = self.run.metric(&name.to_string_lossy())?;
                    if let Some(made) = &mut made {
                        made.push(name, metric);
                    }
                    metric
                }
            };
            row.push(metric, value);
        }
        if let Some(made) = made {
            shapes.remember(made);
        }
        Ok(true)
    }

    fn slow(&self, data: &Bound<'_, PyMapping>, prefix: &str, depth: usize, out: &mut Slow) -> PyResult<()> {
        for item in data.items()?.iter() {
            let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
            let name = match key.cast::<PyString>() {
                Ok(name) => format!("{prefix}{}", name.to_string_lossy()),
                Err(_) => format!("{prefix}{}", key.str()?.to_string_lossy()),
            };
            match any(&value) {
                Found::Point(value) => out.points.push((name, value)),
                Found::Text(text) => out.texts.push((name, text)),
                Found::Nothing => {}
                Found::Nested(nested) if depth < NESTING_MAX => {
                    self.slow(&nested, &format!("{name}."), depth + 1, out)?
                }
                Found::Nested(_) => {
                    self.run.warn("nesting", "", &format!("{name}: dicts are nested too deep, left out"))
                }
                Found::Unfit(why) => self.run.warn("value", &name, &format!("{name}: {why}; left out")),
                Found::Rounded(value, why) => {
                    self.run.warn("rounded", &name, &format!("{name}: {why}"));
                    out.points.push((name, value));
                }
            }
        }
        Ok(())
    }

    fn leave_out(&self, name: &str, error: &corral_client::ClientError) {
        let short: String = name.chars().take(NAME_CHARS_SHOWN).collect();
        self.run.warn("metric", name, &format!("the metric {short:?} was left out: {error}"));
    }

    fn write_slow(&self, slow: Slow, step: (i64, bool), calls: &mut Calls) -> Result<(), corral_client::ClientError> {
        let mut points: Vec<(u32, Value)> = Vec::with_capacity(slow.points.len());
        let mut places = std::collections::HashMap::new();
        for (name, value) in slow.points {
            match self.run.metric(&name) {
                // One name twice (`{"a.b": 1, "a": {"b": 2}}`): the last wins.
                Ok(metric) => match places.insert(metric, points.len()) {
                    Some(at) => {
                        points[at].1 = value;
                        places.insert(metric, at);
                    }
                    None => points.push((metric, value)),
                },
                Err(error) => self.leave_out(&name, &error),
            }
        }
        for part in points.chunks(ROW_COLUMNS_MAX) {
            calls.row.clear();
            for (metric, value) in part {
                calls.row.push(*metric, *value);
            }
            self.run.log(&calls.row, step)?;
        }
        for (name, mut text) in slow.texts {
            if text.len() > TEXT_BYTES_MAX {
                text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
                self.run.warn("text", &name, &format!("{name}: a text was cut off at {TEXT_BYTES_MAX} bytes"));
            }
            match self.run.metric(&name) {
                Ok(metric) => self.run.log_object(metric, step, "text/plain", Bytes::from(text))?,
                Err(error) => self.leave_out(&name, &error),
            }
        }
        Ok(())
    }
}

#[pymethods]
impl Run {
    /// Logs a dict; returns at once. What cannot be kept is warned about on stderr, once.
    #[pyo3(signature = (data, step=None))]
    fn log(&self, data: &Bound<'_, PyAny>, step: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let (step, as_metric) = self.step(step);
        if let (Ok(dict), None) = (data.cast::<PyDict>(), as_metric) {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            match self.fast(dict, &mut calls) {
                Ok(true) if calls.row.is_empty() => return Ok(()),
                Ok(true) => return self.run.log(&calls.row, step).map_err(failed),
                // A name that cannot be a metric is left out below, by itself.
                Ok(false) | Err(_) => {}
            }
        }
        let Ok(mapping) = data.cast::<PyMapping>() else {
            self.run.warn("data", "", "log() takes a dict; what it got is left out");
            return Ok(());
        };
        let mut slow = Slow::default();
        self.slow(mapping, "", 0, &mut slow)?;
        if let Some(value) = as_metric {
            self.run.define_step_once();
            slow.points.push(("step".to_owned(), Value::F64(value)));
        }
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        self.write_slow(slow, step, &mut calls).map_err(failed)
    }

    #[pyo3(signature = (name, step_metric="", goal=None, summary=None))]
    fn define_metric(&self, name: &str, step_metric: &str, goal: Option<&str>, summary: Option<&str>) -> PyResult<()> {
        let goal = match goal {
            None => Goal::Unspecified,
            Some("min" | "minimize") => Goal::Minimize,
            Some("max" | "maximize") => Goal::Maximize,
            Some(other) => return Err(PyValueError::new_err(format!("goal: {other:?} is none of \"min\", \"max\""))),
        };
        let summary = match summary {
            None | Some("last") => SummaryRule::Last,
            Some("min") => SummaryRule::Min,
            Some("max") => SummaryRule::Max,
            Some("mean") => SummaryRule::Mean,
            Some("best") => SummaryRule::Best,
            Some("none") => SummaryRule::None,
            Some(other) => {
                let why =
                    format!("summary: {other:?} is none of \"last\", \"min\", \"max\", \"mean\", \"best\", \"none\"");
                return Err(PyValueError::new_err(why));
            }
        };
        let def = MetricDef { name: name.to_owned(), step_metric: step_metric.to_owned(), goal, summary };
        match self.run.define_metric(def) {
            Err(corral_client::ClientError::Invalid(error)) => Err(PyValueError::new_err(error.to_string())),
            other => other.map_err(failed),
        }
    }

    fn set_config(&self, entries: &Bound<'_, PyList>) -> PyResult<()> {
        self.run.set_config(config_entries(entries)?);
        Ok(())
    }

    fn set_summary(&self, entries: &Bound<'_, PyList>) -> PyResult<()> {
        self.run.set_summary(summary_entries(entries)?);
        Ok(())
    }

    #[pyo3(signature = (name=None, notes=None, tags=None))]
    fn set_attributes(&self, name: Option<String>, notes: Option<String>, tags: Option<Vec<String>>) -> PyResult<()> {
        match self.run.set_attributes(RunAttributesChanged { name, notes, tags }) {
            Err(corral_client::ClientError::Invalid(error)) => Err(PyValueError::new_err(error.to_string())),
            other => other.map_err(failed),
        }
    }

    /// The last item. `exit_code` 0 is success.
    fn finish(&self, exit_code: i32, message: &str) -> PyResult<()> {
        let state = if exit_code == 0 { FinishState::Finished } else { FinishState::Failed };
        self.run.finish(state, Some(exit_code), message).map_err(failed)
    }

    /// Ends this process's part in the run without ending the run.
    fn leave(&self) -> PyResult<()> {
        self.run.leave().map_err(failed)
    }

    /// (items, sent, durable)
    fn progress(&self) -> (u64, u64, u64) {
        let progress = self.run.progress();
        (progress.items, progress.sent, progress.durable)
    }

    /// Waits until something moved, or so long; true once everything is durable.
    fn wait(&self, py: Python<'_>, ms: u64) -> bool {
        py.detach(|| self.run.wait(Duration::from_millis(ms)))
    }

    /// Waits for what the opening comes to: ("created" and so on, take, next step), ("refused", why, 0), or None.
    fn wait_opened(&self, py: Python<'_>, ms: u64) -> Option<(String, String, i64)> {
        match py.detach(|| self.run.wait_opened(Duration::from_millis(ms)))? {
            OpenedRun::Opened { how, take, next_step } => Some((how.to_owned(), take.to_string(), next_step)),
            OpenedRun::Refused(why) => Some(("refused".to_owned(), why, 0)),
        }
    }

    fn warn(&self, text: &str) {
        self.run.warn("log", text, text);
    }
}

fn failed(error: corral_client::ClientError) -> PyErr {
    PyRuntimeError::new_err(error.to_string())
}
