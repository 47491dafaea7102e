"""Durations and shares as people write them: `1h30m`, `2.5%`.

Exact in both directions: a share that is not a whole number of slots is refused, not
rounded, because rounding would send one unit to two prompts.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal, InvalidOperation

from pitcanary.errors import InvalidValue
from pitcanary.model.allocation import SLOT_COUNT

_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
    "us": timedelta(microseconds=1),
}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|us|d|h|m|s)")
_LONGEST = timedelta(days=3650)


def parse_duration(text: str) -> timedelta:
    """Reads `10m`, `1h30m`, `1.5s`, `250ms`, `7d`, or `0`.

    Raises:
        InvalidValue: For anything else, a bare number other than 0 included, and for
            more than ten years.

    Examples:
        >>> parse_duration("1h30m")
        datetime.timedelta(seconds=5400)
    """
    compact = text.strip()
    if compact == "0":
        return timedelta(0)
    parts = _PART.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise InvalidValue(f"`{text}` is not a duration; write for example `10m`, `1h30m` or `7d`")
    total = sum((_scaled(Decimal(number), _UNITS[unit]) for number, unit in parts), timedelta(0))
    if total > _LONGEST:
        raise InvalidValue(f"`{text}` is longer than ten years")
    return total


def format_duration(duration: timedelta) -> str:
    """Writes a duration as `parse_duration` reads it, largest unit first.

    Examples:
        >>> format_duration(timedelta(minutes=90))
        '1h30m'
    """
    if duration < timedelta(0):
        return f"-{format_duration(-duration)}"
    rest, parts = duration, []
    for unit, size in _UNITS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0"


def parse_share(value: str | int | float) -> int:
    """Reads `1%`, `0.5%` or a fraction such as 0.01, as slots of the ring.

    Raises:
        InvalidValue: When it is not above 0 and at most 100 %, or not whole slots.

    Examples:
        >>> parse_share("2.5%"), parse_share(0.01), parse_share(1)
        (25000, 10000, 1000000)
    """
    text = str(value).strip()
    try:
        fraction = Decimal(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except InvalidOperation:
        raise InvalidValue(f"`{value}` is not a share; write for example `5%` or 0.05") from None
    if not fraction.is_finite() or not 0 < fraction <= 1:
        raise InvalidValue(f"share `{value}` must be above 0 and at most 100%")
    slots = fraction * SLOT_COUNT
    if slots != int(slots):
        raise InvalidValue(f"share `{value}` is finer than 0.0001%, the smallest step")
    return int(slots)


def format_share(slots: int) -> str:
    """Writes slots of the ring as a percentage, without needless zeros.

    Examples:
        >>> format_share(10_000), format_share(25)
        ('1%', '0.0025%')
    """
    percent = Decimal(slots) * 100 / SLOT_COUNT
    text = f"{percent:f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}%"


def _scaled(number: Decimal, unit: timedelta) -> timedelta:
    microseconds = number * (unit // timedelta(microseconds=1))
    if microseconds != int(microseconds):
        raise InvalidValue(f"`{number}` is finer than a microsecond")
    return timedelta(microseconds=int(microseconds))
