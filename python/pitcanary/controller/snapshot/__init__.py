"""Everything a sidecar needs, built whole from one consistent view of the store.

`build` assembles the snapshot, `rollouts` and `contents` make its parts. What
is built depends on what is stored and on nothing else; pushing is `controller.hub`'s
job.
"""

from __future__ import annotations

from pitcanary.controller.snapshot.build import SnapshotBuilder

__all__ = ["SnapshotBuilder"]
