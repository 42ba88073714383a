//! Questions: what the server answers, as plain Python values and bytes; `_api.py` makes objects and Arrow tables of it.

use std::sync::{Mutex, PoisonError};

use corral_client::QueryError;
use corral_wire::proto;
use proto::typed_value::Kind;
use pyo3::exceptions::{PyKeyError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

#[pyclass(frozen)]
pub(crate) struct Query(Mutex<corral_client::Query>);

fn failed(error: QueryError) -> PyErr {
    let text = match &error {
        QueryError::Refused { field, message, .. } if !field.is_empty() && !message.contains(&field[..]) => {
            format!("{field}: {message}")
        }
        _ => error.to_string(),
    };
    match error {
        QueryError::Refused { reason, .. } if reason == "NOT_FOUND" => PyKeyError::new_err(text),
        QueryError::Refused { reason, .. } if reason.starts_with("FIELD_") => PyValueError::new_err(text),
        _ => PyRuntimeError::new_err(text),
    }
}

impl Query {
    pub(crate) fn new(query: corral_client::Query) -> Self {
        Self(Mutex::new(query))
    }

    fn ask<T: Send>(
        &self,
        py: Python<'_>,
        ask: impl FnOnce(&mut corral_client::Query) -> Result<T, QueryError> + Send,
    ) -> PyResult<T> {
        py.detach(|| ask(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))).map_err(failed)
    }
}

#[pymethods]
impl Query {
    /// A client that only asks.
    #[new]
    #[pyo3(signature = (url=None, key=None))]
    fn connect(url: Option<String>, key: Option<String>) -> Self {
        Self::new(corral_client::Query::connect(crate::client::settings(url, key, None)))
    }

    /// One page: (projects, next page's token).
    fn projects<'py>(&self, py: Python<'py>, page_token: String) -> PyResult<(Bound<'py, PyList>, String)> {
        let request = proto::ListProjectsRequest { page_size: 1_000, page_token, ..Default::default() };
        let answer = self.ask(py, |query| query.projects(request))?;
        let list = PyList::empty(py);
        for project in answer.projects {
            let dict = PyDict::new(py);
            dict.set_item("id", project.id)?;
            dict.set_item("name", project.name)?;
            dict.set_item("created_us", project.created_us)?;
            dict.set_item("actor", project.actor)?;
            dict.set_item("runs", project.runs)?;
            dict.set_item("last_active_us", project.last_active_us)?;
            list.append(dict)?;
        }
        Ok((list, answer.next_page_token))
    }

    fn runs<'py>(
        &self,
        py: Python<'py>,
        project: String,
        page_token: String,
    ) -> PyResult<(Bound<'py, PyList>, String)> {
        let request = proto::ListRunsRequest { project, page_size: 1_000, page_token, ..Default::default() };
        let answer = self.ask(py, |query| query.runs(request))?;
        let list = PyList::empty(py);
        for run in answer.runs {
            list.append(run_dict(py, run)?)?;
        }
        Ok((list, answer.next_page_token))
    }

    fn run<'py>(&self, py: Python<'py>, run_id: String) -> PyResult<Bound<'py, PyDict>> {
        let request = proto::GetRunRequest { run_id: run_id.clone(), ..Default::default() };
        let answer = self.ask(py, |query| query.run(request))?;
        let run = answer.run.ok_or_else(|| PyKeyError::new_err(run_id))?;
        let dict = run_dict(py, run)?;
        let metrics = PyList::empty(py);
        for metric in answer.metrics {
            metrics.append(metric_dict(py, metric)?)?;
        }
        dict.set_item("metrics", metrics)?;
        Ok(dict)
    }

    /// One page of raw points (`buckets` 0) or all buckets: ([series], next page's token).
    fn history<'py>(
        &self,
        py: Python<'py>,
        what: (Vec<String>, Vec<String>, u32),
        page_token: String,
    ) -> PyResult<(Bound<'py, PyList>, String)> {
        let (run_ids, metrics, buckets) = what;
        let request = proto::GetHistoryRequest { run_ids, metrics, buckets, page_token, ..Default::default() };
        let answer = self.ask(py, |query| query.history(request))?;
        let list = PyList::empty(py);
        for series in answer.series {
            list.append(series_dict(py, series)?)?;
        }
        Ok((list, answer.next_page_token))
    }
}

fn run_dict(py: Python<'_>, run: proto::Run) -> PyResult<Bound<'_, PyDict>> {
    let state = match run.state() {
        proto::RunState::Running => "running",
        proto::RunState::Finished => "finished",
        proto::RunState::Failed => "failed",
        proto::RunState::Silent => "silent",
        proto::RunState::Crashed => "crashed",
        proto::RunState::Unspecified => "unknown",
    };
    let dict = PyDict::new(py);
    for (name, value) in [
        ("id", run.id),
        ("project_id", run.project_id),
        ("name", run.name),
        ("state", state.to_owned()),
        ("notes", run.notes),
        ("group", run.group),
        ("job_type", run.job_type),
        ("actor", run.actor),
        ("message", run.message),
    ] {
        dict.set_item(name, value)?;
    }
    dict.set_item("tags", run.tags)?;
    dict.set_item("created_us", run.created_us)?;
    dict.set_item("last_append_us", run.last_append_us)?;
    dict.set_item("finished_us", run.finished_us)?;
    dict.set_item("exit_code", run.exit_code)?;
    dict.set_item("take", run.take)?;
    dict.set_item("max_step", run.max_step)?;
    dict.set_item("points", run.points)?;
    dict.set_item("metric_count", run.metrics)?;
    dict.set_item("gap_items", run.gap_items)?;
    let summary = PyList::empty(py);
    for figure in run.summary {
        if let Some(kind) = figure.value.and_then(|value| value.kind) {
            summary.append((figure.key, value(py, kind)?))?;
        }
    }
    dict.set_item("summary", summary)?;
    let config: Vec<(Vec<String>, String)> = run.config.into_iter().map(|figure| (figure.path, figure.json)).collect();
    dict.set_item("config", config)?;
    Ok(dict)
}

/// (value, whether it is JSON text)
fn value(py: Python<'_>, kind: Kind) -> PyResult<(Bound<'_, PyAny>, bool)> {
    Ok(match kind {
        Kind::F64(value) => (value.into_pyobject(py)?.into_any(), false),
        Kind::F32(value) => (value.into_pyobject(py)?.into_any(), false),
        Kind::I64(value) => (value.into_pyobject(py)?.into_any(), false),
        Kind::U64(value) => (value.into_pyobject(py)?.into_any(), false),
        Kind::Bool(value) => (value.into_pyobject(py)?.to_owned().into_any(), false),
        Kind::Json(text) => (text.into_pyobject(py)?.into_any(), true),
    })
}

fn metric_dict(py: Python<'_>, metric: proto::Metric) -> PyResult<Bound<'_, PyDict>> {
    let goal = match metric.goal() {
        proto::Goal::Minimize => Some("min"),
        proto::Goal::Maximize => Some("max"),
        proto::Goal::Unspecified => None,
    };
    let dict = PyDict::new(py);
    dict.set_item("goal", goal)?;
    dict.set_item("name", metric.name)?;
    dict.set_item("step_metric", metric.step_metric)?;
    dict.set_item("count", metric.count)?;
    dict.set_item("nan_count", metric.nan_count)?;
    dict.set_item("min", metric.min)?;
    dict.set_item("max", metric.max)?;
    dict.set_item("mean", metric.mean)?;
    dict.set_item("last_step", metric.last_step)?;
    dict.set_item("labels", metric.labels)?;
    if let Some(kind) = metric.last.and_then(|last| last.kind) {
        dict.set_item("last", value(py, kind)?.0)?;
    }
    Ok(dict)
}

fn series_dict(py: Python<'_>, series: proto::Series) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("run", series.run_id)?;
    dict.set_item("metric", series.metric)?;
    dict.set_item("label", series.label)?;
    dict.set_item("take", series.take)?;
    dict.set_item("rows", series.rows)?;
    let bytes = |bytes: &[u8]| PyBytes::new(py, bytes);
    match series.columns {
        Some(proto::series::Columns::Raw(raw)) => {
            dict.set_item("steps", bytes(&raw.steps))?;
            dict.set_item("times_us", bytes(&raw.times_us))?;
            let values = PyList::empty(py);
            for column in raw.values {
                let kind = match column.r#type() {
                    proto::ColumnType::F64 => "f64",
                    proto::ColumnType::F32 => "f32",
                    proto::ColumnType::I64 => "i64",
                    proto::ColumnType::U64 => "u64",
                    proto::ColumnType::Bool => "bool",
                    proto::ColumnType::Unspecified => {
                        return Err(PyRuntimeError::new_err("a column of an unknown type"));
                    }
                };
                values.append((kind, column.rows, bytes(&column.values)))?;
            }
            dict.set_item("values", values)?;
        }
        Some(proto::series::Columns::Buckets(buckets)) => {
            dict.set_item("width", buckets.width)?;
            for (name, column) in [
                ("index", &buckets.index),
                ("count", &buckets.count),
                ("min", &buckets.min),
                ("max", &buckets.max),
                ("mean", &buckets.mean),
                ("last", &buckets.last),
                ("nan_count", &buckets.nan_count),
                ("first_non_finite", &buckets.first_non_finite),
            ] {
                dict.set_item(name, bytes(column))?;
            }
        }
        None => {}
    }
    Ok(dict)
}
