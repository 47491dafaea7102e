"""The SDK without a sidecar: what it measures, sends, refuses and falls back to."""
