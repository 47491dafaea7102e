"""Fixtures that every folder may use."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.postgresql import PostgresqlServer, ServerMissing, running_server

# How long an example takes says something about the machine, nothing about the law.
settings.register_profile("pitcanary", deadline=None)
settings.load_profile("pitcanary")

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A real PostgreSQL, shared by all tests; each takes databases of its own."""
    try:
        with running_server() as server:
            yield server
    except ServerMissing as missing:
        if "CI" in os.environ:
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture
def postgresql_database(postgresql_server: PostgresqlServer) -> str:
    """The name of a fresh, empty database; `postgresql_server.address` gives its address.

    It stays until the server goes: dropping one costs a second of checkpoint.
    """
    name = f"test_{next(_numbers)}"
    postgresql_server.create(name)
    return name


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many tests read the public data, and how many could not."""
    outcomes = {
        outcome: sum("data" in report.keywords for report in terminalreporter.getreports(outcome))
        for outcome in ("passed", "failed", "skipped")
    }
    counts = ", ".join(f"{number} {outcome}" for outcome, number in outcomes.items())
    terminalreporter.write_line(f"data tests: {counts}")
