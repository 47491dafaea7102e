//! Templates for Python: `Template` and `render_plain`.
//!
//! Names and conversions only; the engines are `pitcanary_core::template`.

use pitcanary_core::template as core;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::json::JsonObject;

fn refused(error: &core::TemplateError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// A compiled prompt.
#[pyclass(frozen, module = "pitcanary._native")]
pub(crate) struct Template(core::Template);

#[pymethods]
impl Template {
    #[new]
    #[pyo3(signature = (source, syntax = "plain"))]
    fn new(source: &str, syntax: &str) -> PyResult<Self> {
        let syntax = match syntax {
            "plain" => core::Syntax::Plain,
            "jinja" => core::Syntax::Jinja,
            _ => {
                let message = format!("syntax `{syntax}`: use `plain` or `jinja`");
                return Err(PyValueError::new_err(message));
            }
        };
        core::Template::compile(syntax, source)
            .map(Self)
            .map_err(|error| refused(&error))
    }

    fn render(&self, py: Python<'_>, variables: JsonObject) -> PyResult<String> {
        py.detach(|| self.0.render(&variables.0))
            .map_err(|error| refused(&error))
    }

    #[getter]
    fn variables(&self) -> Vec<&str> {
        self.0.variables().collect()
    }
}

/// Compiles and renders a plain template in one step.
#[pyfunction]
pub(crate) fn render_plain(source: &str, variables: JsonObject) -> PyResult<String> {
    core::Template::compile(core::Syntax::Plain, source)
        .and_then(|template| template.render(&variables.0))
        .map_err(|error| refused(&error))
}
