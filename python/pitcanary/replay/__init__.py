"""Recorded requests through a real sidecar and controller, with the recorded clock."""
