"""Keeps prompts, rollouts, evidence and decisions on SQLite or PostgreSQL.

`open_store` gives a `Store`; its promises and records are in `store.interface`.
Nothing outside this package names SQL, and sidecars never import it.
"""

from __future__ import annotations

from pitcanary.store.interface import Reader, Store, Transaction
from pitcanary.store.opening import open_store

__all__ = ["Reader", "Store", "Transaction", "open_store"]
