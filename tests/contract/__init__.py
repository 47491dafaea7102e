"""One suite per seam, run against everything behind it."""
