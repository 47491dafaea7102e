"""Price tables: exact, dated, and silent about what they do not know."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitcanary.errors import InvalidValue, ManifestRefused
from pitcanary.manifest.prices import load_prices, published_prices
from pitcanary.model.price import Price, PriceTable

OWN = """\
kind: prices
currency: EUR
as_of: "2026-11-23"
models:
  - {model: ours, aliases: [ours-2026], input: 0.15, cached_input: 0.075, output: 0.6}
  - {model: plain, input: 1, output: 2.5}
"""


def test_a_table_is_read_exactly() -> None:
    assert load_prices(OWN, "p.yaml") == PriceTable(
        date(2026, 11, 23),
        (
            Price("ours", 150_000_000, 600_000_000, 75_000_000, "EUR"),
            Price("ours-2026", 150_000_000, 600_000_000, 75_000_000, "EUR"),
            Price("plain", 1_000_000_000, 2_500_000_000, None, "EUR"),
        ),
    )


def test_an_unknown_model_has_no_price_rather_than_none_to_pay() -> None:
    table = published_prices()
    assert table.find("no-such-model") is None
    assert table.find("") is None
    assert table.find("gpt-4o-min") is None


def test_the_published_table_knows_common_models_and_its_day() -> None:
    table = published_prices()
    assert table.find("gpt-4o-mini") == Price("gpt-4o-mini", 150_000_000, 600_000_000, 75_000_000)
    assert table.find("gpt-4o-mini-2024-07-18") is not None
    assert table.as_of <= date(2026, 11, 23)
    for price in table.prices:
        cached = price.cached_input_nanos_per_million
        assert 0 < price.input_nanos_per_million < price.output_nanos_per_million
        assert cached is None or 0 < cached < price.input_nanos_per_million


@given(st.decimals(0, 1000, places=9))
def test_amounts_are_the_decimals_that_were_written(amount: object) -> None:
    text = OWN.replace("input: 1,", f"input: {amount:f},")
    price = load_prices(text, "p.yaml").find("plain")
    assert price is not None
    written = str(f"{amount:f}").replace(".", "").lstrip("0") or "0"
    digits = len(str(f"{amount:f}").partition(".")[2])
    assert price.input_nanos_per_million == int(written) * 10 ** (9 - digits)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param("input: 1,", "input: -1,", "at least 0", id="below nothing"),
        pytest.param("input: 1,", "inptu: 1,", "did you mean `input`", id="a misspelt field"),
        pytest.param("input: 1,", "", "`input` is missing", id="no price"),
        pytest.param("input: 1,", "input: 0.0000000001,", "finer than a billionth", id="too fine"),
        pytest.param('"2026-11-23"', "2026-11-23", "put it in quotes", id="a bare date"),
        pytest.param("2026-11-23", "2026-13-23", "write a day such as", id="month 13"),
        pytest.param("EUR", "euro", "an ISO 4217 code", id="no currency"),
        pytest.param("model: plain", "model: ours", "`ours` has two prices", id="a model twice"),
        pytest.param("kind: prices", "kind: rollout", "`kind`", id="another kind"),
    ],
)
def test_a_wrong_table_is_refused(old: str, new: str, message: str) -> None:
    assert old in OWN
    with pytest.raises(ManifestRefused, match=message):
        load_prices(OWN.replace(old, new, 1), "p.yaml")


def test_a_file_with_two_tables_is_refused() -> None:
    with pytest.raises(ManifestRefused, match="one manifest"):
        load_prices(f"{OWN}---\n{OWN}", "p.yaml")


def test_a_price_below_nothing_cannot_be_made() -> None:
    with pytest.raises(InvalidValue):
        Price("m", -1, 0)
