//! `corral._native`: the client for Python. What is hot is here; what is not is Python (`python/corral`).
//!
//! A `log()` call: the dict's keys are compared by identity with those of the last calls (`shape`), plain numbers become
//! a row without running any Python code, and the row goes into the spool (`corral-client`). Everything else (numpy,
//! torch, Decimal, nested dicts) goes through `value`, a little slower. Nothing of this waits, so the GIL is kept; it is
//! released where a caller waits for a network or a disk.

mod client;
mod query;
mod run;
mod scalar;
mod shape;
mod value;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<client::Client>()?;
    module.add_class::<run::Run>()?;
    module.add_class::<query::Query>()?;
    module.add("PanicException", module.py().get_type::<pyo3::panic::PanicException>())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(client::new_run_id, module)?)?;
    module.add_function(wrap_pyfunction!(client::new_run_name, module)?)?;
    module.add_function(wrap_pyfunction!(client::launch_id, module)?)?;
    module.add_function(wrap_pyfunction!(client::default_url, module)?)?;
    Ok(())
}
