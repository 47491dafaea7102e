"""Progressive delivery for LLM prompts.

The client's names are imported when they are first used: a sidecar's process must
stay small, and importing this package must bring in neither grpcio nor protobuf.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pitcanary.client import AsyncClient, Client, EmbeddedClient, Fallback

__all__ = ["AsyncClient", "Client", "EmbeddedClient", "Fallback"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    value: object = getattr(import_module("pitcanary.client"), name)
    globals()[name] = value  # from now on an ordinary name
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
