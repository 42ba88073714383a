//! Config and summary values: Python's to exact scalars. Containers were taken apart in Python (`_tree.py`).

use corral_domain::scalar::{ConfigEntry, Scalar};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyList, PyString};

/// Lists in lists.
const DEPTH_MAX: usize = 16;

/// `[(path, value)]`, where the absence of a value (a 1-tuple) removes the path.
pub(crate) fn config_entries(list: &Bound<'_, PyList>) -> PyResult<Vec<ConfigEntry>> {
    let entry = |item: Bound<'_, PyAny>| {
        let path = item.get_item(0)?.extract()?;
        let value = if item.len()? > 1 { Some(scalar(&item.get_item(1)?, 0)?) } else { None };
        Ok(ConfigEntry { path, value })
    };
    list.iter().map(entry).collect()
}

pub(crate) fn summary_entries(list: &Bound<'_, PyList>) -> PyResult<Vec<(String, Option<Scalar>)>> {
    let entry = |item: Bound<'_, PyAny>| {
        let key = item.get_item(0)?.extract()?;
        let value = if item.len()? > 1 { Some(scalar(&item.get_item(1)?, 0)?) } else { None };
        Ok((key, value))
    };
    list.iter().map(entry).collect()
}

fn scalar(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Scalar> {
    if value.is_none() {
        return Ok(Scalar::Null);
    }
    if let Ok(value) = value.cast::<PyBool>() {
        return Ok(Scalar::Bool(value.is_true()));
    }
    if let Ok(value) = value.cast::<PyFloat>() {
        return Ok(Scalar::F64(value.value()));
    }
    if value.cast::<PyInt>().is_ok() {
        if let Ok(value) = value.extract::<i64>() {
            return Ok(Scalar::I64(value));
        }
        // Beyond 64 bits there is no number that is exact: its digits are.
        return Ok(value.extract::<u64>().map_or_else(|_| Scalar::Text(value.to_string()), Scalar::U64));
    }
    if let Ok(value) = value.cast::<PyString>() {
        return Ok(Scalar::Text(value.to_string_lossy().into_owned()));
    }
    match value.cast::<PyList>() {
        Ok(list) if depth < DEPTH_MAX => {
            Ok(Scalar::List(list.iter().map(|value| scalar(&value, depth + 1)).collect::<PyResult<_>>()?))
        }
        _ => Err(PyTypeError::new_err("config: not a scalar, or lists too deep")),
    }
}
