"""Read the flags of `pitcanary sidecar` and run the process.

Uses argparse and imports no gRPC and no terminal library, so that an idle sidecar stays
small. What the flags mean is said in `pitcanary.config`, what the process does in
`process`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from pitcanary.config import SidecarSettings, read_settings
from pitcanary.errors import PitcanaryError
from pitcanary.sidecar.process import run

REFUSED = 2
"""Exit status for a wrong flag, as argparse itself uses."""


def parser() -> argparse.ArgumentParser:
    """The flags; those not given are left out, so that the environment can give them."""
    flags = argparse.ArgumentParser(
        prog="pitcanary sidecar",
        description="Serve prompt versions beside an application.",
        epilog="Every flag can be given as PITCANARY_<NAME> in the environment.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    for name, help_text in (
        ("--listen", "unix:/PATH or 127.0.0.1:PORT; may be repeated"),
        ("--insecure-listen", "as --listen, reachable by others without encryption"),
    ):
        flags.add_argument(name, action="append", metavar="ADDRESS", help=help_text)
    flags.add_argument("--controller", metavar="ADDRESS", help="HOST:PORT or unix:/PATH")
    flags.add_argument("--data-dir", metavar="DIR", help="folder of the last good snapshot")
    flags.add_argument(
        "--sidecar-id", metavar="ID", help="stable over restarts; default: host name"
    )
    flags.add_argument("--namespace")
    flags.add_argument("--environment")
    flags.add_argument("--metrics", metavar="ADDRESS", help="HOST:PORT of /metrics; empty: none")
    flags.add_argument("--workers", metavar="N", help="threads that serve")
    flags.add_argument(
        "--no-coalesce", dest="coalesce", action="store_false", help="one write per answer"
    )
    flags.add_argument("--replay", action="store_true", help="the clock is set by hand")
    flags.add_argument("--drain-seconds", metavar="S", help="time for calls in flight at the end")
    return flags


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs a sidecar until it is told to end; returns the exit status."""
    flags = vars(parser().parse_args(arguments))
    try:
        settings = read_settings(SidecarSettings, flags, environment)
        return run(settings, sys.stdout)
    except PitcanaryError as error:
        print(f"pitcanary sidecar: {error}", file=sys.stderr)  # noqa: T201 - the program's own words
        return REFUSED
