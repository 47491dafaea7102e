//! The statistical engine: sealed cells in, evidence and intervals out.
//!
//! Everything here is deterministic to the last bit: integers come in, sums run
//! in slice order, transcendental functions come from `libm`, and nothing is
//! contracted into a fused multiply-add. A decision replayed on another machine
//! therefore meets the same numbers. The kernel knows no thresholds and takes
//! no decisions; the gate that reads its evidence is Python, and an independent
//! version of every formula lives in `tests/unit/statistics/reference.py`.

mod cell;
mod codec;
mod contrast;
pub mod engine_r;
pub mod engine_t;
mod error;
mod exceedance;
mod fold;
mod interval;
mod reading;
mod sample_ratio;
pub mod special;
mod stratum;

pub use cell::{ArmCell, SLICES};
pub use contrast::{Contrast, Family, Harm, Margin};
pub use error::KernelError;
pub use exceedance::{bucket_ratio, exceedance_cell, quantile_bucket};
pub use fold::Fold;
pub use interval::{Interval, radius};
pub use reading::{CANDIDATE_MINIMUM, Evidence};
pub use sample_ratio::log_sample_ratio;
