"""Price tables: the one that comes with the package, or the user's own.

Amounts are read as the decimals they are written as and become whole billionths, or
are refused; a float would make one call cost a nano more on one machine than another.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import lru_cache
from importlib import resources

from pitcanary.errors import ManifestRefused
from pitcanary.manifest.document import Document, parse
from pitcanary.manifest.place import Place
from pitcanary.manifest.schema import problems
from pitcanary.model.price import Price, PriceTable

_NANOS = 1_000_000_000


def load_prices(text: str, file: str) -> PriceTable:
    """Reads a price table.

    Args:
        text: YAML or JSON of `kind: prices`.
        file: What errors call it.

    Raises:
        ManifestRefused: Naming every problem with file, line and field.
    """
    documents = parse(text, file)
    if len(documents) != 1:
        raise ManifestRefused(f"{file}: must hold one manifest of `kind: prices`")
    document: Document = documents[0]
    found = [document.problem(path, what) for path, what in problems("prices", document)]
    if found:
        raise ManifestRefused("\n".join(found))
    return _table(Place.root(document))


@lru_cache(maxsize=1)
def published_prices() -> PriceTable:
    """The table that comes with the package; list prices of the day in `as_of`."""
    file = resources.files("pitcanary") / "prices.yaml"
    return load_prices(file.read_text(encoding="utf-8"), "prices.yaml")


def _table(root: Place) -> PriceTable:
    currency, models = root.get("currency"), root.get("models")
    name = currency.text() if currency else "USD"
    entries = models.items() if models else iter(())
    prices = tuple(price for entry in entries for price in _prices(entry, name))
    day = root.get("as_of") or root
    as_of = day.build(lambda: _date(day))
    return root.build(lambda: PriceTable(as_of, prices))


def _date(place: Place) -> date:
    try:
        return date.fromisoformat(place.text())
    except ValueError:
        raise place.refusal("cannot be read; write a day such as `2026-11-23`") from None


def _prices(entry: Place, currency: str) -> Iterator[Price]:
    aliases = entry.get("aliases")
    names = [_text(entry, "model"), *(item.text() for item in (aliases.items() if aliases else ()))]
    amounts = [_nanos(entry.get(part)) for part in ("input", "output", "cached_input")]
    for name in names:
        yield entry.build(
            lambda name=name: Price(name, amounts[0] or 0, amounts[1] or 0, amounts[2], currency)  # type: ignore[misc]
        )


def _text(place: Place, name: str) -> str:
    field = place.get(name)
    return field.text() if field else ""


def _nanos(place: Place | None) -> int | None:
    if place is None:
        return None
    nanos = Decimal(str(place.number())) * _NANOS
    if nanos != int(nanos):
        raise place.refusal(f"`{place.value}` is finer than a billionth")
    return int(nanos)
