//! `PyO3` names and conversions, no logic.

#![expect(
    clippy::needless_pass_by_value,
    reason = "PyO3 hands over owned arguments"
)]

mod evidence;
mod kernel;
mod traffic;

#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use super::kernel::{
        ArmCell, Evidence, Fold, event_mixture, fold_paths, interval_radius, quantile_bucket,
        student_t_ln_cdf, t_mixture,
    };

    #[pymodule_export]
    use super::evidence::{Bundle, merge_bundles, merge_evidence};
    #[pymodule_export]
    use super::traffic::Traffic;
}
