"""Every error the package raises on purpose.

    PitcanaryError
    ├── NotFound            what was named does not exist
    ├── AlreadyExists       what was to be created exists
    ├── Conflict            the state has changed since it was read
    ├── StoreUnavailable    the database cannot be reached or is busy
    └── StoreRefused        the database is not one this program may use

A message says what is wrong, with which value in backticks, and what to do. It
never holds prompt or output text.
"""

from __future__ import annotations


class PitcanaryError(Exception):
    """The base of all errors of this package."""


class NotFound(PitcanaryError):
    """Raised when a call names something that does not exist."""


class AlreadyExists(PitcanaryError):
    """Raised when something is created under a name that is taken."""


class Conflict(PitcanaryError):
    """Raised when a write was based on a state that is no longer current.

    Nothing was written: read again and decide again.
    """


class StoreUnavailable(PitcanaryError):
    """Raised when the database cannot be reached, is busy or broke off.

    The same call may succeed later.
    """


class StoreRefused(PitcanaryError):
    """Raised when a store may not be opened by this program.

    Its address is not understood, its schema is newer than the program, or
    another controller holds it. The same call fails again until that changes.
    """
