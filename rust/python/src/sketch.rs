//! Histograms for Python: `Sketch` and the mapping of its buckets.
//!
//! Names and conversions only; the histogram is `pitcanary_core::sketch`.

use pitcanary_core::sketch as core;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

fn refused(error: core::SketchError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// A base-2 exponential histogram at scale 6.
#[pyclass(eq, module = "pitcanary._native")]
#[derive(Clone, PartialEq)]
pub(crate) struct Sketch(core::Sketch);

#[pymethods]
impl Sketch {
    #[new]
    fn new() -> Self {
        Self(core::Sketch::new())
    }

    #[staticmethod]
    fn from_bytes(data: &[u8]) -> PyResult<Self> {
        core::Sketch::decode(data).map(Self).map_err(refused)
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.encode())
    }

    #[pyo3(signature = (value, count = 1))]
    fn insert(&mut self, value: u64, count: u64) -> PyResult<()> {
        self.0.insert_many(value, count).map_err(refused)
    }

    fn merge(&mut self, other: &Self) -> PyResult<()> {
        self.0.merge(&other.0).map_err(refused)
    }

    fn copy(&self) -> Self {
        self.clone()
    }

    fn quantile(&self, p: f64) -> Option<f64> {
        self.0.quantile(p)
    }

    fn count_above(&self, bucket: i32) -> u64 {
        self.0.count_above(bucket)
    }

    #[getter]
    fn count(&self) -> u64 {
        self.0.count()
    }

    #[getter]
    fn zero_count(&self) -> u64 {
        self.0.zero_count()
    }

    #[getter]
    fn sum(&self) -> i128 {
        self.0.sum()
    }

    #[getter]
    fn buckets(&self) -> Vec<(i32, u64)> {
        self.0.buckets().collect()
    }
}

/// The bucket of a value.
#[pyfunction]
pub(crate) fn bucket_of(value: u64) -> i32 {
    core::bucket(value)
}

/// The largest integer in a bucket.
#[pyfunction]
pub(crate) fn bucket_upper_bound(bucket: i32) -> u64 {
    core::upper_bound(bucket)
}
