"""What comparable systems compute, for comparisons and as checks of our own formulas."""
