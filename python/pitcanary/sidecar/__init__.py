"""Start the sidecar's Rust server and tell Prometheus what it counts.

Serves no request: those run on threads that never take the interpreter's lock. The
controller has its own package, and nothing here imports it or gRPC.
"""

from __future__ import annotations
