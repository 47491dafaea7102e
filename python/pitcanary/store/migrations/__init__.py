"""Steps from each published schema to the next, run by `store.migrate`.

A step is never edited after a release; it says what it does in its own words
and imports nothing that may change.
"""
