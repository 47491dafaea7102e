"""How commands print: tables for people, JSON for programs, errors in one paragraph.

Colour only on a terminal; JSON is written by orjson, one document per command.
Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import orjson
from rich.console import Console
from rich.table import Table

FAILED = 1
WRONG_USAGE = 2

console = Console(highlight=False, soft_wrap=True)
complaints = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: object) -> None:
    """Writes one JSON document on a line of its own."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() + "\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
    """Prints rows under their columns, or a sentence where there are none."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    if table.row_count:
        console.print(table)
    else:
        console.print(empty)


def complain(message: str) -> None:
    """Prints an error."""
    complaints.print(f"[bold red]error:[/] {escape(message)}")


def escape(text: str) -> str:
    """Text as it is, without markup."""
    return text.replace("[", r"\[")
