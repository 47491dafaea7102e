"""From sealed counts to verdicts: pure functions, no clock, no store, no randomness.

`metrics` turns definitions into contrasts and keeps their folds, `assess` makes
verdicts of them, `sample_ratio` tests the split, `words` says it all to people. The
numbers come from the Rust kernel; what is done about a verdict is `rollout`'s job.
"""
