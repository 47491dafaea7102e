//! Seeded traffic for demo and replay: `Traffic`.
//!
//! Names and conversions only; the driver is `pitcanary_load::traffic`.

use std::collections::BTreeMap;

use pitcanary_load::traffic as load;
use pyo3::exceptions::{PyConnectionError, PyValueError};
use pyo3::prelude::*;

/// Requests to one prompt whose outcomes are drawn from a table per arm.
#[pyclass(frozen, module = "pitcanary._native")]
pub(crate) struct Traffic(load::Traffic);

#[pymethods]
impl Traffic {
    #[new]
    #[pyo3(signature = (targets, prompt, tables, *, users, seed, activity_sigma = 0.0, concurrency = 32))]
    fn new(
        targets: Vec<String>,
        prompt: String,
        tables: BTreeMap<String, Vec<Vec<u8>>>,
        users: u64,
        seed: u64,
        activity_sigma: f64,
        concurrency: usize,
    ) -> PyResult<Self> {
        if users == 0 {
            return Err(PyValueError::new_err("`users` must be at least 1"));
        }
        let draw = load::Draw::new(seed);
        let activity = load::Activity::lognormal(users, activity_sigma, draw);
        load::Traffic::new(targets, prompt, tables, activity, draw)
            .map(|traffic| Self(traffic.with_concurrency(concurrency)))
            .map_err(|error| refused(&error))
    }

    #[pyo3(signature = (first, count, *, per_second = None))]
    fn run(
        &self,
        py: Python<'_>,
        first: u64,
        count: u64,
        per_second: Option<f64>,
    ) -> PyResult<BTreeMap<String, (u64, u64)>> {
        let pace = per_second.map_or(load::Pace::Unpaced, load::Pace::PerSecond);
        let counts = py
            .detach(|| self.0.run(first, count, pace))
            .map_err(|error| refused(&error))?;
        let pair = |count: load::ArmCount| (count.requests, count.duplicates);
        Ok(counts
            .into_iter()
            .map(|(arm, count)| (arm, pair(count)))
            .collect())
    }
}

fn refused(error: &load::TrafficError) -> PyErr {
    match error {
        load::TrafficError::Refused { .. } => PyConnectionError::new_err(error.to_string()),
        _ => PyValueError::new_err(error.to_string()),
    }
}
