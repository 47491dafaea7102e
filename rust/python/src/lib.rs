//! PyO3 names and conversions, no logic.
