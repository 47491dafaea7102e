"""The program `pitcanary`: hands `sidecar` to its small entry, everything else to the CLI."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Runs the program and returns its exit status."""
    # The sidecar shares its memory limit with an application: it loads no terminal library.
    if sys.argv[1:2] == ["sidecar"]:
        from pitcanary.sidecar.__main__ import main as sidecar  # noqa: PLC0415 - see above

        return sidecar(sys.argv[2:], os.environ)  # noqa: TID251 - read here, handed on
    from pitcanary.cli.app import app  # noqa: PLC0415 - see above

    app()
    return 0


if __name__ == "__main__":
    sys.exit(main())
