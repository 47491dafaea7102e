"""Names and identities.

Names are for people and are checked once, here; ids are derived, never random, so
that a replay gives the same ones. The bytes of a digest are made in `model.prompt`.
"""

from __future__ import annotations

import re

from pitcanary.errors import InvalidValue

NAME_LENGTH = 100
"""Longest name of a prompt, label, rollout, arm or metric."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def check_name(what: str, name: str) -> str:
    """Returns the name when it may be one.

    Raises:
        InvalidValue: When it is empty, too long or holds other than letters, digits and `._/-`.
    """
    if len(name) <= NAME_LENGTH and _NAME.fullmatch(name):
        return name
    raise InvalidValue(
        f"{what} `{name[:NAME_LENGTH]}` is not a name: use 1 to {NAME_LENGTH} letters, digits and "
        "`._/-`, with a letter or digit first and last"
    )


def check_digest(digest: str) -> str:
    """Returns the digest when it has the form `sha256:` and 64 hex digits.

    Raises:
        InvalidValue: When it has not.
    """
    if _DIGEST.fullmatch(digest):
        return digest
    raise InvalidValue(f"digest `{digest[:80]}` is not `sha256:` and 64 lower-case hex digits")


def decision_id(rollout_id: int, revision: int) -> str:
    """Names the decision that made this revision of the rollout.

    Unique within a scope: a revision is made by one decision only.
    """
    return f"{rollout_id}-{revision}"
