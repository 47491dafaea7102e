"""One controller per SQLite file, held by the operating system.

The kernel gives the lock back when its process dies, however it dies, so a
stale lock file never keeps a restart out.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from pitcanary.errors import StoreRefused


class FileLock:
    """An exclusive lock beside the database file."""

    def __init__(self, database: Path) -> None:
        """Take the lock; `StoreRefused` when another process has it."""
        path = database.with_name(database.name + ".lock")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._file, 32, 0).decode(errors="replace").strip()
            os.close(self._file)
            raise StoreRefused(
                f"`{database}` is in use by the controller with process id `{holder}`;"
                " stop it first, or let several controllers share a PostgreSQL"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._file)
