"""The folders show the architecture: who may import whom.

Reads the imports of every module as text, so an import inside a function counts
as well. The table is the whole rule; a package that is not in it may not exist.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "pitcanary"

ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "v1": {"v1"},
    "model": {"model", "errors"},
    "config": {"model", "errors"},
    "statistics": {"statistics", "model", "errors", "_native"},
    "rollout": {"rollout", "model", "errors"},
    "manifest": {"manifest", "model", "errors"},
    "store": {"store", "model", "errors"},
    "client": {"client", "v1", "model", "errors", "_native"},
    "sidecar": {"sidecar", "_native", "config", "errors"},
    "controller": {
        "controller", "store", "rollout", "statistics", "manifest", "model", "v1", "_native",
        "config", "errors",
    },
    "processes": {"errors"},
    "replay": {
        "replay", "processes", "client", "manifest", "model", "v1", "_native", "config", "errors",
    },
    "demo": {
        "demo", "replay", "processes", "client", "manifest", "model", "v1", "_native", "config",
        "errors",
    },
    "cli": {
        "cli", "client", "controller", "processes", "sidecar", "store", "replay", "demo",
        "manifest", "model", "v1", "config", "errors",
    },
    "__main__": {"sidecar", "cli"},
    "__init__": {"client", "model", "errors"},
}  # fmt: skip
# Sidecars must stay small: neither grpcio nor the command line's libraries.
SIDECAR_FORBIDS = {"grpc", "typer", "rich", "sqlalchemy", "alembic", "yaml", "google"}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)


def room(path: Path) -> str:
    """Names the package (or the top-level module) that a file belongs to."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Yields every imported dotted name, relative ones made absolute."""
    parents = ["pitcanary", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_table(path: Path) -> None:
    own = [name.split(".") for name in imports(path) if name.split(".")[0] == "pitcanary"]
    used = {parts[1] for parts in own if len(parts) > 1} - {"__version__"}
    assert used <= ALLOWED[room(path)], f"{path} imports {sorted(used - ALLOWED[room(path)])}"


def test_the_sidecar_stays_small() -> None:
    for path in (PACKAGE / "sidecar").glob("*.py"):
        heads = {name.split(".")[0] for name in imports(path)}
        assert not heads & SIDECAR_FORBIDS, path


@pytest.mark.parametrize("name", ["statistics", "rollout", "model"])
def test_pure_packages_read_no_clock_and_no_randomness(name: str) -> None:
    forbidden = {"time", "random", "secrets", "os", "socket", "subprocess", "threading", "asyncio"}
    for path in (PACKAGE / name).rglob("*.py"):
        heads = {imported.split(".")[0] for imported in imports(path)}
        assert not heads & forbidden, path


def test_the_rust_core_is_pure() -> None:
    manifest = (ROOT / "rust" / "core" / "Cargo.toml").read_text(encoding="utf-8")
    assert not re.search(r"^(pyo3|tokio|tonic|getrandom)\b", manifest, re.MULTILINE)
    for path in (ROOT / "rust" / "core" / "src").rglob("*.rs"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"std::(time::(SystemTime|Instant)|fs|net|env|process)\b", source) or (
            "#[cfg(test)]" in source or path.name in {"tests.rs"} or "tests" in path.parts
        ), path


def test_protobuf_stays_at_the_edges() -> None:
    for name in ("model", "statistics", "rollout", "store", "manifest"):
        for path in (PACKAGE / name).rglob("*.py"):
            assert not any(imported.startswith("google.protobuf") for imported in imports(path)), (
                path
            )
