"""The package's own names cost nothing until they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import pitcanary
import pitcanary.client

HEAVY = {"grpc", "google", "google.protobuf", "typer", "rich", "sqlalchemy", "yaml", "asyncio"}


def modules_after(code: str) -> set[str]:
    """Imports code in a fresh interpreter and returns the names of what it loaded."""
    show = "import sys; print(*sys.modules, file=sys.stderr)"
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}\n{show}"], capture_output=True, text=True, check=True
    )
    return set(ended.stderr.split())


@pytest.mark.parametrize("name", pitcanary.__all__)
def test_names_are_the_client_s(name: str) -> None:
    assert getattr(pitcanary, name) is getattr(pitcanary.client, name)
    assert name in dir(pitcanary)


def test_an_unknown_name_is_an_ordinary_error() -> None:
    with pytest.raises(AttributeError, match="`Clent`"):
        pitcanary.Clent  # noqa: B018


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not modules_after("import pitcanary") & HEAVY


def test_using_a_name_loads_the_client() -> None:
    assert "grpc" in modules_after("from pitcanary import Client")


def test_the_sidecar_s_entry_loads_nothing_heavy() -> None:
    entry = """
import sys
sys.argv = ["pitcanary", "sidecar", "--help"]
from pitcanary.__main__ import main
try:
    main()
except SystemExit:
    pass
"""
    loaded = modules_after(entry)
    assert "pitcanary.sidecar.process" in loaded
    assert not loaded & HEAVY
