"""The SDK against a real sidecar process that a real controller process configures."""
