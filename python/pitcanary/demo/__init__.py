"""The two-minute demonstration: synthetic traffic, everything else real.

Real processes, the default engine, its default error rates and margins. Only the
outcomes are made up, and the demo says so; real recordings are `replay`'s.
"""
