"""What models cost, for calls whose cost the application does not report.

Integers only: billionths of the currency per million tokens, as the wire carries them.
A model that is not listed has no price, which makes a cost missing, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pitcanary.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one model.

    Without a price for cached input tokens, those cost what input costs.
    """

    model: str
    input_nanos_per_million: int
    output_nanos_per_million: int
    cached_input_nanos_per_million: int | None = None
    currency: str = "USD"

    def __post_init__(self) -> None:
        cached = self.cached_input_nanos_per_million
        parts = (self.input_nanos_per_million, self.output_nanos_per_million, cached or 0)
        if not self.model or min(parts) < 0:
            raise InvalidValue(f"price of model `{self.model}` is below 0 or of no model")


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices by the name that applications report, and the day they were read."""

    as_of: date
    prices: tuple[Price, ...]

    def __post_init__(self) -> None:
        names = [price.model for price in self.prices]
        for name in names:
            if names.count(name) > 1:
                raise InvalidValue(f"model `{name}` has two prices")

    def find(self, model: str) -> Price | None:
        """The price of a model by its exact name; None when it is not known."""
        return next((price for price in self.prices if price.model == model), None)
