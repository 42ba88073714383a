//! What a Python value is as a point.
//!
//! | Python | point |
//! |---|---|
//! | `float`, `numpy.float64`, `numpy.longdouble` | f64 |
//! | `numpy.float32`, `float16`, `bfloat16` (numpy's, torch's, jax's) | f32 |
//! | `int` (and what has `__index__`) within 64 bits signed | i64 |
//! | `int` from 2^63 to 2^64 - 1, `numpy.uint64` | u64 |
//! | `int` beyond | f64, with one warning |
//! | `bool`, `numpy.bool_` | bool |
//! | `Decimal`, `Fraction`, anything else with `__float__` | f64 |
//! | `str` | an object of type `text/plain` |
//! | `None` | nothing |
//! | a tensor or array of one element | as its `item()`, by its dtype |
//! | anything else | nothing, with one warning |

use corral_domain::Value;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyMapping, PyString};

/// What a value turned out to be.
pub(crate) enum Found<'py> {
    Point(Value),
    Text(String),
    Nested(Bound<'py, PyMapping>),
    Nothing,
    /// Left out; why.
    Unfit(String),
    /// Taken, but not exactly; why.
    Rounded(Value, &'static str),
}

/// The types that most values have, told apart without running any Python code.
#[inline]
pub(crate) fn plain(value: &Bound<'_, PyAny>) -> Option<Found<'static>> {
    if let Ok(value) = value.cast_exact::<PyFloat>() {
        return Some(Found::Point(Value::F64(value.value())));
    }
    if let Ok(value) = value.cast_exact::<PyBool>() {
        return Some(Found::Point(Value::Bool(value.is_true())));
    }
    if let Ok(value) = value.cast_exact::<PyInt>() {
        return value.extract::<i64>().ok().map(|value| Found::Point(Value::I64(value)));
    }
    value.is_none().then_some(Found::Nothing)
}

/// Everything else. May run Python code, which may do anything.
pub(crate) fn any<'py>(value: &Bound<'py, PyAny>) -> Found<'py> {
    if let Some(found) = plain(value) {
        return found;
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Found::Text(text.to_string_lossy().into_owned());
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        return Found::Nested(dict.as_mapping().clone());
    }
    if let Ok(value) = value.cast::<PyFloat>() {
        return Found::Point(Value::F64(value.value()));
    }
    if let Ok(dtype) = value.getattr("dtype") {
        return with_dtype(value, &dtype);
    }
    if value.cast::<PyInt>().is_ok() || value.hasattr("__index__").unwrap_or(false) {
        return integer(value);
    }
    if let Ok(mapping) = value.cast::<PyMapping>() {
        return Found::Nested(mapping.clone());
    }
    if value.hasattr("__float__").unwrap_or(false) {
        return float(value);
    }
    unfit(value)
}

fn unfit<'py>(value: &Bound<'_, PyAny>) -> Found<'py> {
    let kind = value.get_type().fully_qualified_name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
    Found::Unfit(format!("a value of type {kind} is no number and no text"))
}

fn float<'py>(value: &Bound<'_, PyAny>) -> Found<'py> {
    value.extract::<f64>().map_or_else(|_| unfit(value), |value| Found::Point(Value::F64(value)))
}

fn integer<'py>(value: &Bound<'_, PyAny>) -> Found<'py> {
    if let Ok(value) = value.extract::<i64>() {
        return Found::Point(Value::I64(value));
    }
    if let Ok(value) = value.extract::<u64>() {
        return Found::Point(Value::U64(value));
    }
    match value.call_method0("__index__").and_then(|value| value.call_method0("__float__")?.extract::<f64>()) {
        Ok(rounded) => Found::Rounded(Value::F64(rounded), "an int beyond 64 bits was rounded to a float"),
        Err(_) => Found::Unfit("an int is too large for any number that can be kept".to_owned()),
    }
}

/// numpy scalars and arrays, and tensors of torch, jax, tensorflow: one element, told by `dtype`.
fn with_dtype<'py>(value: &Bound<'py, PyAny>, dtype: &Bound<'py, PyAny>) -> Found<'py> {
    let name = dtype
        .getattr("name")
        .and_then(|name| name.extract::<String>())
        .or_else(|_| dtype.str().map(|text| text.to_string()));
    let name = name.unwrap_or_default();
    let name = name.rsplit('.').next().unwrap_or_default();
    let item = match value.call_method0("item").or_else(|_| value.call_method0("numpy")?.call_method0("item")) {
        Ok(item) => item,
        Err(_) => return Found::Unfit("an array or tensor of more than one element is no single number".to_owned()),
    };
    match name {
        "float32" | "float16" | "bfloat16" | "half" => match item.extract::<f64>() {
            // Exact: the value was one of at most 32 bits.
            Ok(value) => Found::Point(Value::F32(value as f32)),
            Err(_) => unfit(value),
        },
        "uint64" => item.extract::<u64>().map_or_else(|_| unfit(value), |value| Found::Point(Value::U64(value))),
        // longdouble's item() is itself.
        "longdouble" | "float128" | "float96" => float(&item),
        _ if item.getattr("dtype").is_ok() => unfit(value),
        _ => match any(&item) {
            Found::Nested(_) => unfit(value),
            found => found,
        },
    }
}
