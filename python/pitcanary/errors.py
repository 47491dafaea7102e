"""Every error the package raises on purpose.

    PitcanaryError
    ├── InvalidValue        a value breaks a rule of the model
    ├── ManifestRefused     a manifest is wrong; names file, line and field
    ├── SettingsRefused     a setting is unknown, missing or wrong
    ├── TransitionRefused   the rollout's state forbids the action
    ├── NotFound            what was named does not exist
    ├── AlreadyExists       what was to be created exists
    ├── Conflict            the state has changed since it was read
    ├── StoreUnavailable    the database cannot be reached or is busy
    ├── StoreRefused        the database is not one this program may use
    ├── EvidenceRefused     counts cannot be read or merged
    ├── SidecarUnavailable  no answer from the sidecar in time
    ├── PromptNotFound      the sidecar does not know the prompt
    ├── InvalidRequest      the sidecar refused a request as wrong
    ├── ReportRefused       the sidecar refused an outcome or a score
    ├── RecordingRefused    a recording or its mapping cannot be read
    └── ReplayFailed        a process of a replay ended or did not answer

A message says what is wrong, with which value in backticks, and what to do. It
never holds prompt or output text.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PitcanaryError(Exception):
    """The base of all errors of this package."""


class InvalidValue(PitcanaryError):
    """Raised when a value of the model is built that breaks one of its rules."""


class ManifestRefused(PitcanaryError):
    """Raised when a manifest is wrong in any part; nothing of it was applied."""


class SettingsRefused(PitcanaryError):
    """Raised at the start of a process when a setting is unknown, missing or wrong."""


class TransitionRefused(PitcanaryError):
    """Raised when an action is asked for that the rollout's state forbids."""


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


class EvidenceRefused(PitcanaryError):
    """Raised when counts cannot be decoded, merged or folded."""


class SidecarUnavailable(PitcanaryError):
    """Raised when the sidecar does not answer in time and there is no fallback."""


class PromptNotFound(PitcanaryError):
    """Raised when the sidecar does not know the prompt and there is no fallback."""


class InvalidRequest(PitcanaryError):
    """Raised when the sidecar refuses a request; a fallback would hide the mistake."""


class ReportRefused(PitcanaryError):
    """Raised when the sidecar refuses an outcome or a score; repeating does not help."""


class RecordingRefused(PitcanaryError):
    """Raised when a recording or the mapping of its columns cannot be read."""


class ReplayFailed(PitcanaryError):
    """Raised when a process that a replay or a demo started ended or did not answer."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Names the known word closest to `name`, as the end of a message.

    Returns:
        `; did you mean …?` when one is close, else the list of known words.
    """
    words = sorted(known)
    close = difflib.get_close_matches(name, words, n=1, cutoff=0.6)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known: {', '.join(f'`{word}`' for word in words)}"
