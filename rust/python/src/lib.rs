//! PyO3 names and conversions, no logic.

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
    use super::evidence::Bundle;
    #[pymodule_export]
    use super::traffic::Traffic;
}
