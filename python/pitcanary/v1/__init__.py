"""Generated from proto/; edit there and run `make proto`."""
