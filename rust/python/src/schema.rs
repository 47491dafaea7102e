//! Output schemas for Python: `OutputSchema`.
//!
//! Names and conversions only; policy and checks are `pitcanary_core::evaluate::schema`.

use pitcanary_core::evaluate::schema as core;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A schema that passed the publish policy.
#[pyclass(frozen, module = "pitcanary._native")]
pub(crate) struct OutputSchema(core::OutputSchema);

#[pymethods]
impl OutputSchema {
    #[new]
    #[pyo3(signature = (text, *, check_formats = false))]
    fn new(text: &str, check_formats: bool) -> PyResult<Self> {
        let formats = if check_formats {
            core::Formats::Checked
        } else {
            core::Formats::ByDraft
        };
        core::OutputSchema::publish_with(text, formats)
            .map(Self)
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    fn check(&self, py: Python<'_>, output: &str) -> (&'static str, Option<&'static str>) {
        match py.detach(|| self.0.check(output)) {
            core::SchemaVerdict::Valid => ("valid", None),
            core::SchemaVerdict::NotJson => ("not_json", None),
            core::SchemaVerdict::Invalid { kind } => ("invalid", Some(kind.name())),
            _ => ("validator_error", None),
        }
    }
}
