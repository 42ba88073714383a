//! The process's client, and the names that it makes.

use std::path::PathBuf;

use corral_client::{ClientError, Launch, OpenRun, Settings, run_name, ulid};
use corral_domain::run::Resume;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::query::Query;
use crate::run::Run;
use crate::scalar::config_entries;

const NAME: &str = concat!("corral-python/", env!("CARGO_PKG_VERSION"));

#[pyclass(frozen)]
pub(crate) struct Client(corral_client::Client);

pub(crate) fn settings(url: Option<String>, key: Option<String>, dir: Option<PathBuf>) -> Settings {
    let mut settings = Settings::from_env(NAME);
    if let Some(url) = url {
        settings.set_url(&url);
    }
    if let Some(key) = key {
        settings.set_key(&key);
    }
    if let Some(dir) = dir {
        settings.dir = dir;
    }
    settings
}

#[pymethods]
impl Client {
    #[new]
    #[pyo3(signature = (url=None, key=None, dir=None, offline=false))]
    fn new(
        py: Python<'_>,
        url: Option<String>,
        key: Option<String>,
        dir: Option<PathBuf>,
        offline: bool,
    ) -> PyResult<Self> {
        let settings = Settings { offline, ..settings(url, key, dir) };
        let started = py.detach(|| corral_client::Client::start(settings));
        started.map(Self).map_err(|error| match error {
            ClientError::Url(why) => PyValueError::new_err(why),
            error => PyOSError::new_err(error.to_string()),
        })
    }

    /// Opens a run; `what` has the texts, `tags` and `config` of `OpenRun`. Does not wait for a server.
    fn open_run(&self, what: &Bound<'_, PyDict>, tags: Vec<String>, config: &Bound<'_, PyList>) -> PyResult<Run> {
        let text = |name: &str| -> PyResult<String> {
            let value = what.get_item(name)?;
            value.filter(|value| !value.is_none()).map_or_else(|| Ok(String::new()), |value| value.extract())
        };
        let resume = match &text("resume")?[..] {
            "" => Resume::Unspecified,
            "allow" => Resume::Allow,
            "must" => Resume::Must,
            "never" => Resume::Never,
            other => {
                return Err(PyValueError::new_err(format!(
                    "resume: {other:?} is none of None, \"allow\", \"must\", \"never\""
                )));
            }
        };
        let id = text("id")?.parse().map_err(|_| PyValueError::new_err("id: must be 1 to 64 of [A-Za-z0-9._-]"))?;
        let open = OpenRun {
            project: text("project")?,
            id,
            resume,
            launch_id: text("launch_id")?,
            label: text("label")?,
            name: text("name")?,
            notes: text("notes")?,
            tags,
            group: text("group")?,
            job_type: text("job_type")?,
            config: config_entries(config)?,
        };
        match self.0.open_run(open) {
            Ok(run) => Ok(Run::new(run)),
            Err(ClientError::Invalid(error)) => Err(PyValueError::new_err(error.to_string())),
            Err(error) => Err(PyRuntimeError::new_err(error.to_string())),
        }
    }

    fn query(&self) -> Query {
        Query::new(self.0.query())
    }

    /// Why nothing is being sent, if so.
    fn trouble(&self) -> Option<String> {
        self.0.trouble()
    }

    #[getter]
    fn url(&self) -> &str {
        &self.0.settings().url
    }

    #[getter]
    fn spool_path(&self) -> PathBuf {
        self.0.spool().path().to_owned()
    }

    /// (appended, pending, dropped) items of the spool.
    fn spool_items(&self) -> (u64, u64, u64) {
        let stats = self.0.spool().stats();
        (stats.items_appended, stats.items_pending, stats.items_dropped)
    }

    /// Ends the shipper; true if everything was durable and the spool is gone.
    fn close(&self, py: Python<'_>) -> bool {
        py.detach(|| self.0.close())
    }
}

/// A ULID.
#[pyfunction]
pub(crate) fn new_run_id() -> String {
    ulid(corral_client::now_us(), &mut corral_client::system_random())
}

/// Two words and a number.
#[pyfunction]
pub(crate) fn new_run_name() -> String {
    run_name(&mut corral_client::system_random())
}

/// (id, whether it was made here and is to be put into the environment for children).
#[pyfunction]
pub(crate) fn launch_id() -> (String, bool) {
    match corral_client::launch(|name| std::env::var_os(name), &mut corral_client::system_random()) {
        Launch::Known(id) => (id, false),
        Launch::Made(id) => (id, true),
    }
}

/// The server that is meant when none is named.
#[pyfunction]
pub(crate) fn default_url() -> String {
    Settings::from_env(NAME).url
}
