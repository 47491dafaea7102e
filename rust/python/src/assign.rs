//! Assignment for Python: `slot`, `slice_index` and `Ranges`.
//!
//! Names and conversions only; the hash is `pitcanary_core::assign`.

use pitcanary_core::assign as core;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The slot of a unit in a rollout.
#[pyfunction]
pub(crate) fn slot(rollout_salt: &str, unit_kind: &str, unit: &str) -> u32 {
    core::slot(rollout_salt, unit_kind, unit).get()
}

/// The slice of a unit in a namespace.
#[pyfunction]
pub(crate) fn slice_index(namespace_salt: &str, unit_kind: &str, unit: &str) -> u8 {
    core::slice(namespace_salt, unit_kind, unit).get()
}

/// Disjoint slot ranges with arms.
#[pyclass(frozen, eq, module = "pitcanary._native")]
#[derive(PartialEq)]
pub(crate) struct Ranges(core::Ranges);

#[pymethods]
impl Ranges {
    #[new]
    fn new(ranges: Vec<(u32, u32, u8)>) -> PyResult<Self> {
        let ranges = ranges
            .into_iter()
            .map(|(start, end, arm)| core::Range { start, end, arm });
        core::Ranges::new(ranges)
            .map(Self)
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    fn arm(&self, slot: u32) -> PyResult<Option<u8>> {
        match core::Slot::new(slot) {
            Some(slot) => Ok(self.0.arm(slot)),
            None => Err(PyValueError::new_err(format!(
                "slot `{slot}` is not below {}",
                core::SLOT_COUNT
            ))),
        }
    }

    fn slots_of(&self, arm: u8) -> u32 {
        self.0.slots_of(arm)
    }

    #[getter]
    fn ranges(&self) -> Vec<(u32, u32, u8)> {
        let ranges = self.0.as_slice().iter();
        ranges
            .map(|range| (range.start, range.end, range.arm))
            .collect()
    }
}
