//! Mergeable counts for Python: `Bundle`.
//!
//! Names and conversions only; a bundle is opaque bytes to everyone but the kernel.

use std::borrow::Cow;
use std::collections::BTreeMap;

use pitcanary_core::evidence as core;
use pitcanary_core::sketch::ZERO_BUCKET;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::kernel::ArmCell;

/// Epoch, threshold set, segment, then the columns of the baseline and of the other arm.
type Comparison = (u32, u32, u32, Vec<ArmCell>, Vec<ArmCell>);

/// Everything counted about any number of rollouts.
#[pyclass(frozen, eq, module = "pitcanary._native")]
#[derive(Clone, PartialEq)]
pub(crate) struct Bundle(core::Bundle);

#[pymethods]
impl Bundle {
    #[new]
    fn new() -> Self {
        Self(core::Bundle::default())
    }

    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: Vec<u8>) -> PyResult<Self> {
        py.detach(|| core::Bundle::decode(data))
            .map(Self)
            .map_err(|error| refused(&error))
    }

    #[staticmethod]
    fn from_frame(py: Python<'_>, frame: Vec<u8>) -> PyResult<Self> {
        py.detach(|| core::Bundle::decode_frame(frame))
            .map(Self)
            .map_err(|error| refused(&error))
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let bytes = py.detach(|| self.0.encode());
        PyBytes::new(py, &bytes)
    }

    #[staticmethod]
    fn merge(py: Python<'_>, bundles: Vec<PyRef<'_, Self>>) -> PyResult<Self> {
        let parts: Vec<core::Bundle> = bundles.iter().map(|bundle| bundle.0.clone()).collect();
        drop(bundles);
        py.detach(|| {
            let merged = parts
                .into_iter()
                .try_fold(core::Bundle::default(), core::Bundle::merge);
            merged.map(Self)
        })
        .map_err(|error| refused(&error))
    }

    fn split(&self) -> BTreeMap<u32, Self> {
        let parts = self.0.clone().split();
        parts
            .into_iter()
            .map(|(rollout, part)| (rollout, Self(part)))
            .collect()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[getter]
    fn losses(&self) -> Losses {
        Losses(self.0.losses.clone())
    }

    #[pyo3(signature = (*, rollout, generation, metric, arm))]
    fn comparisons(&self, rollout: u32, generation: u32, metric: u32, arm: u8) -> Vec<Comparison> {
        let pair = core::Pair {
            rollout,
            generation,
            metric,
            arm,
        };
        let cells = |columns: Vec<core::kernel::ArmCell>| columns.into_iter().map(ArmCell::from);
        let found = self.0.comparisons(pair).into_iter();
        found
            .map(|each| {
                (
                    each.epoch,
                    each.threshold_set,
                    each.segment,
                    cells(each.baseline).collect(),
                    cells(each.candidate).collect(),
                )
            })
            .collect()
    }

    fn traffic(&self, rollout: u32, generation: u32) -> BTreeMap<(u32, u8), (u64, u64)> {
        let found = self.0.traffic(analysis(rollout, generation)).into_iter();
        found
            .map(|(key, sum)| (key, (sum.exposures, sum.outcomes)))
            .collect()
    }

    fn unit_counts(&self, rollout: u32, generation: u32) -> BTreeMap<(u32, u8), (u64, u64)> {
        let found = self.0.unit_counts(analysis(rollout, generation));
        found
            .into_iter()
            .map(|(key, count)| (key, (count.units, count.several)))
            .collect()
    }

    fn distribution(
        &self,
        rollout: u32,
        generation: u32,
        metric: u32,
        arm: u8,
    ) -> PyResult<BTreeMap<i32, u64>> {
        let sketch = self
            .0
            .distribution(analysis(rollout, generation), metric, arm)
            .map_err(|error| refused(&error))?;
        let zeros = (ZERO_BUCKET, sketch.zero_count());
        let all = std::iter::once(zeros).chain(sketch.buckets());
        Ok(all.filter(|(_, count)| *count > 0).collect())
    }

    fn missing_counts(&self, rollout: u32, generation: u32) -> BTreeMap<(u8, u32, i32), u64> {
        self.0.missing_counts(analysis(rollout, generation))
    }

    fn exclusion_counts(&self, rollout: u32) -> BTreeMap<(u8, i32), u64> {
        self.0.exclusion_counts(rollout)
    }

    fn lasting(&self) -> Self {
        Self(self.0.clone().lasting())
    }
}

fn analysis(rollout: u32, generation: u32) -> core::Analysis {
    core::Analysis {
        rollout,
        generation,
    }
}

/// What was refused or dropped on the way to the controller.
#[pyclass(frozen, eq, module = "pitcanary._native")]
#[derive(Clone, PartialEq)]
pub(crate) struct Losses(core::Losses);

#[pymethods]
impl Losses {
    #[getter]
    fn rejected(&self) -> BTreeMap<u32, u64> {
        self.0.rejected.clone()
    }

    #[getter]
    fn dropped_outcomes(&self) -> u64 {
        self.0.dropped_outcomes
    }

    #[getter]
    fn dropped_frames(&self) -> u64 {
        self.0.dropped_frames
    }

    #[getter]
    fn deduplication_evictions(&self) -> u64 {
        self.0.deduplication_evictions
    }

    #[getter]
    fn foreign(&self) -> u64 {
        self.0.foreign
    }
}

/// Merges whole frames; the encoded evidence of each rollout.
#[pyfunction]
pub(crate) fn merge_evidence(
    py: Python<'_>,
    frames: Vec<Vec<u8>>,
) -> PyResult<BTreeMap<u32, Cow<'static, [u8]>>> {
    py.detach(|| {
        let mut merged = core::Bundle::default();
        for frame in frames {
            merged = merged.merge(core::Bundle::decode_frame(frame)?)?;
        }
        let parts = merged.split().into_iter();
        Ok(parts
            .map(|(rollout, part)| (rollout, Cow::Owned(part.encode())))
            .collect())
    })
    .map_err(|error: core::EvidenceError| refused(&error))
}

/// Merges encoded evidence of one rollout into one.
#[pyfunction]
pub(crate) fn merge_bundles(py: Python<'_>, bundles: Vec<Vec<u8>>) -> PyResult<Cow<'static, [u8]>> {
    py.detach(|| {
        let mut merged = core::Bundle::default();
        for bundle in bundles {
            merged = merged.merge(core::Bundle::decode(bundle)?)?;
        }
        Ok(Cow::Owned(merged.encode()))
    })
    .map_err(|error: core::EvidenceError| refused(&error))
}

fn refused(error: &core::EvidenceError) -> PyErr {
    PyValueError::new_err(error.to_string())
}
