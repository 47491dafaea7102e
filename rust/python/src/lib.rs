//! `PyO3` names and conversions, no logic.

#![expect(
    clippy::needless_pass_by_value,
    reason = "PyO3 hands over owned arguments"
)]

mod assign;
mod evidence;
mod json;
mod kernel;
mod schema;
mod sidecar;
mod sketch;
mod template;
mod token;
mod traffic;

#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use super::assign::{Ranges, slice_index, slot};

    #[pymodule_export]
    const HASH_VERSION: u8 = pitcanary_core::assign::HASH_VERSION;

    #[pymodule_export]
    const SLOT_COUNT: u32 = pitcanary_core::assign::SLOT_COUNT;

    #[pymodule_export]
    const SLICE_COUNT: u8 = pitcanary_core::assign::SLICE_COUNT;

    #[pymodule_export]
    use super::kernel::{
        ArmCell, Evidence, Fold, event_mixture, fold_paths, interval_radius, log_sample_ratio,
        quantile_bucket, student_t_ln_cdf, t_mixture,
    };

    #[pymodule_export]
    use super::evidence::{Bundle, Losses, merge_bundles, merge_evidence};

    #[pymodule_export]
    const BUILT_IN_METRICS: [&str; 6] = pitcanary_core::snapshot::BUILT_IN_METRICS;

    #[pymodule_export]
    use super::schema::OutputSchema;

    #[pymodule_export]
    use super::sketch::{Sketch, bucket_of, bucket_upper_bound};

    #[pymodule_export]
    use super::template::{Template, render_plain};

    #[pymodule_export]
    use super::token::Token;

    #[pymodule_export]
    use super::sidecar::{CallRefused, Sidecar, store_snapshot};
    #[pymodule_export]
    use super::traffic::Traffic;
}
