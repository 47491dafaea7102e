"""What `pitcanary.store.interface` promises, on every store that implements it."""
