"""Print the figures of every benchmark, one line of JSON each."""

from __future__ import annotations

import sys

from benchmarks.resolve.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
