//! The statistical kernel for Python: `ArmCell`, `Fold`, `Evidence` and the primitives.
//!
//! Names and conversions only. The typed, documented face is
//! `pitcanary.statistics`; simulations use `fold_paths`, which runs many
//! histories through the very same fold.

use pitcanary_core::evidence::kernel as core;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err asks for"
)]
fn refused(error: core::KernelError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// Counts of one arm in one stratum of one metric.
#[pyclass(eq, module = "pitcanary._native")]
#[derive(Clone, PartialEq)]
pub(crate) struct ArmCell(core::ArmCell);

impl From<core::ArmCell> for ArmCell {
    fn from(cell: core::ArmCell) -> Self {
        Self(cell)
    }
}

#[pymethods]
impl ArmCell {
    #[new]
    #[pyo3(signature = (slices, sum_squares = 0))]
    fn new(slices: Vec<(usize, u64, i128)>, sum_squares: i128) -> PyResult<Self> {
        let mut cell = core::ArmCell {
            sum_squares,
            ..core::ArmCell::default()
        };
        for (slice, n, sum) in slices {
            if slice >= core::SLICES {
                return Err(PyValueError::new_err(format!(
                    "slice `{slice}` is not below 64"
                )));
            }
            if cell.n[slice] != 0 || cell.sum[slice] != 0 {
                return Err(PyValueError::new_err(format!(
                    "slice `{slice}` is given twice"
                )));
            }
            cell.n[slice] = n;
            cell.sum[slice] = sum;
        }
        Ok(Self(cell))
    }

    fn merge(&mut self, other: &Self) -> PyResult<()> {
        self.0.merge(&other.0).map_err(refused)
    }

    #[getter]
    fn n(&self) -> u128 {
        self.0.n.iter().map(|&n| u128::from(n)).sum()
    }

    #[getter]
    fn slices(&self) -> Vec<(usize, u64, i128)> {
        let occupied = |slice: &usize| self.0.n[*slice] != 0 || self.0.sum[*slice] != 0;
        let entry = |slice: usize| (slice, self.0.n[slice], self.0.sum[slice]);
        (0..core::SLICES).filter(occupied).map(entry).collect()
    }

    #[getter]
    fn sum_squares(&self) -> i128 {
        self.0.sum_squares
    }
}

/// What the data say about one contrast.
#[pyclass(frozen, eq, module = "pitcanary._native")]
#[derive(Clone, PartialEq)]
pub(crate) struct Evidence(core::Evidence);

macro_rules! getters {
    ($owner:ident { $($name:ident: $type:ty),* $(,)? }) => {
        #[pymethods]
        impl $owner {
            $(#[getter] fn $name(&self) -> $type { self.0.$name })*
        }
    };
}

getters!(Evidence {
    log_worse: f64,
    log_better: f64,
    estimate: f64,
    information: f64,
    variance_worse: f64,
    variance_better: f64,
    design_effect: f64,
    baseline_value: f64,
    candidate_value: f64,
    baseline_n: u64,
    candidate_n: u64,
    candidate_slices: u32,
    strata: u64,
    one_armed: u64,
    waiting: u64,
    started: bool,
});

/// Accumulated state of one contrast.
#[pyclass(eq, module = "pitcanary._native")]
#[derive(Clone, PartialEq)]
pub(crate) struct Fold(core::Fold);

#[pymethods]
impl Fold {
    #[new]
    #[pyo3(signature = (family, harm, ratio, difference, *, floor = None, worst = None))]
    fn new(
        family: &str,
        harm: &str,
        ratio: f64,
        difference: f64,
        floor: Option<f64>,
        worst: Option<f64>,
    ) -> PyResult<Self> {
        contrast(
            family,
            harm,
            core::Margin { ratio, difference },
            floor,
            worst,
        )
        .map(|contrast| Self(core::Fold::new(contrast)))
    }

    #[staticmethod]
    fn from_bytes(data: &[u8]) -> PyResult<Self> {
        core::Fold::from_bytes(data).map(Self).map_err(refused)
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.to_bytes())
    }

    #[getter]
    fn contrast(
        &self,
    ) -> (
        &'static str,
        &'static str,
        f64,
        f64,
        Option<f64>,
        Option<f64>,
    ) {
        let (family, harm, margin, floor, worst) = self.0.contrast().parts();
        let family = if family == core::Family::Rate {
            "rate"
        } else {
            "mean"
        };
        let harm = if harm == core::Harm::Up { "up" } else { "down" };
        (family, harm, margin.ratio, margin.difference, floor, worst)
    }

    fn copy(&self) -> Self {
        self.clone()
    }

    fn absorb(&mut self, baseline: &ArmCell, candidate: &ArmCell) -> PyResult<()> {
        self.0.absorb(&baseline.0, &candidate.0).map_err(refused)
    }

    fn evidence(&self) -> Evidence {
        Evidence(self.0.evidence())
    }

    fn interval(&self, alpha: f64) -> PyResult<(f64, f64, f64)> {
        let interval = self.0.interval(alpha).map_err(refused)?;
        Ok((interval.estimate, interval.low, interval.high))
    }
}

fn contrast(
    family: &str,
    harm: &str,
    margin: core::Margin,
    floor: Option<f64>,
    worst: Option<f64>,
) -> PyResult<core::Contrast> {
    let family = match family {
        "rate" => core::Family::Rate,
        "mean" => core::Family::Mean,
        _ => {
            return Err(PyValueError::new_err(format!(
                "family `{family}`: use `rate` or `mean`"
            )));
        }
    };
    let harm = match harm {
        "up" => core::Harm::Up,
        "down" => core::Harm::Down,
        _ => {
            return Err(PyValueError::new_err(format!(
                "harm `{harm}`: use `up` or `down`"
            )));
        }
    };
    let mut contrast = core::Contrast::new(family, harm, margin).map_err(refused)?;
    if let Some(floor) = floor {
        contrast = contrast.with_floor(floor).map_err(refused)?;
    }
    if let Some(worst) = worst {
        contrast = contrast.with_worst(worst).map_err(refused)?;
    }
    Ok(contrast)
}

/// Little-endian i64 values per tick: 64 × baseline n, candidate n, baseline sum,
/// candidate sum, then both sums of squares.
const TICK: usize = 4 * core::SLICES + 2;

/// Runs histories of `ticks` strata, each from a copy of `start`, and returns f64
/// `log_worse, log_better, estimate, information, design_effect` after every tick.
#[pyfunction]
pub(crate) fn fold_paths<'py>(
    py: Python<'py>,
    start: &Fold,
    ticks: usize,
    cells: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let path = ticks * TICK * size_of::<i64>();
    if path == 0 || !cells.len().is_multiple_of(path) {
        let message = format!("`{}` bytes are not whole paths of `{path}`", cells.len());
        return Err(PyValueError::new_err(message));
    }
    let start = start.0.clone();
    let out = py.detach(|| {
        let mut out =
            Vec::with_capacity(cells.len() / (TICK * size_of::<i64>()) * 5 * size_of::<f64>());
        for path in cells.chunks_exact(path) {
            run_path(start.clone(), path, &mut out)?;
        }
        Ok(out)
    });
    Ok(PyBytes::new(py, &out.map_err(refused)?))
}

fn run_path(mut fold: core::Fold, path: &[u8], out: &mut Vec<u8>) -> Result<(), core::KernelError> {
    for tick in path.chunks_exact(TICK * size_of::<i64>()) {
        let (baseline, candidate) = read_tick(tick);
        fold.absorb(&baseline, &candidate)?;
        let evidence = fold.evidence();
        for value in [
            evidence.log_worse,
            evidence.log_better,
            evidence.estimate,
            evidence.information,
            evidence.design_effect,
        ] {
            out.extend(value.to_le_bytes());
        }
    }
    Ok(())
}

fn read_tick(tick: &[u8]) -> (core::ArmCell, core::ArmCell) {
    let mut values = tick
        .as_chunks::<8>()
        .0
        .iter()
        .map(|bytes| i64::from_le_bytes(*bytes));
    let mut next = || values.next().unwrap_or(0);
    let mut baseline = core::ArmCell::default();
    let mut candidate = core::ArmCell::default();
    for counts in [&mut baseline.n, &mut candidate.n] {
        counts.fill_with(|| next().unsigned_abs());
    }
    for sums in [&mut baseline.sum, &mut candidate.sum] {
        sums.fill_with(|| i128::from(next()));
    }
    baseline.sum_squares = i128::from(next());
    candidate.sum_squares = i128::from(next());
    (baseline, candidate)
}

/// One-sided (`sides = 1`) or two-sided t-mixture log e-value.
#[pyfunction]
pub(crate) fn t_mixture(t: f64, information: f64, rho: f64, degrees: f64, sides: u8) -> f64 {
    if sides == 1 {
        core::engine_t::log_one_sided(t, information, rho, degrees)
    } else {
        core::engine_t::log_two_sided(t, information, rho, degrees)
    }
}

/// Conditional-on-events mixture log e-value of one batch of events.
#[pyfunction]
#[pyo3(signature = (candidate, baseline, *, share, ratio, spread, points, design_effect = 1.0))]
pub(crate) fn event_mixture(
    candidate: f64,
    baseline: f64,
    share: f64,
    ratio: f64,
    spread: f64,
    points: usize,
    design_effect: f64,
) -> f64 {
    let events = core::engine_r::Events {
        candidate,
        baseline,
        share,
        ratio,
    };
    core::engine_r::log_mixture(events, spread, points, design_effect)
}

/// Standard errors that the two-sided interval reaches to each side.
#[pyfunction]
pub(crate) fn interval_radius(information: f64, rho: f64, degrees: f64, alpha: f64) -> f64 {
    core::radius(information, rho, degrees, alpha)
}

/// Log of the distribution function of Student's t.
#[pyfunction]
pub(crate) fn student_t_ln_cdf(x: f64, degrees: f64) -> f64 {
    core::special::student_t_ln_cdf(x, degrees)
}

/// The bucket of a histogram that holds a quantile, or `None` if it is empty.
#[pyfunction]
#[expect(
    clippy::needless_pass_by_value,
    reason = "a list of Python arrives as a vector"
)]
pub(crate) fn quantile_bucket(counts: Vec<u64>, offset: i32, quantile: f64) -> Option<i32> {
    core::quantile_bucket(&counts, offset, quantile)
}

/// Log e-value against the expected split of units, or `None` for shares that cannot be.
#[pyfunction]
#[expect(
    clippy::needless_pass_by_value,
    reason = "a list of Python arrives as a vector"
)]
pub(crate) fn log_sample_ratio(
    counts: Vec<u64>,
    shares: Vec<f64>,
    concentration: f64,
) -> Option<f64> {
    core::log_sample_ratio(&counts, &shares, concentration)
}
