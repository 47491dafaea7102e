"""The controller: merges evidence, decides, pushes configuration, keeps the record.

The only package where input and output meet decisions. What is decided lives in
`pitcanary.rollout` and `pitcanary.statistics`, which are pure; what is kept
lives in `pitcanary.store`.
"""
