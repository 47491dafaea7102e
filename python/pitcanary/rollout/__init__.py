"""The rules of a rollout as pure functions: slots, seals, thresholds, gate, states.

Nothing here reads a clock, a store or a setting, so any decision can be replayed from
its record. What the evidence says is `statistics`; what is done with a decision is
`controller`.
"""
