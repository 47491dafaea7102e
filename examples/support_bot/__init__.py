"""A support bot with one call site; see README.md."""
