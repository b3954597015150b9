"""Prices: exact, honest about what they do not know, and refused where they are none."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore import BadInputError
from projections import Price
from projections.usage.messages import Tokens
from projections.usage.price_list import AS_OF, PRICES
from projections.usage.prices import added, price_of

amounts = st.decimals(0, 10**6, places=8)
counts = st.integers(0, 2**53)


@given(
    price=st.builds(Price, amounts, amounts, st.none() | amounts, st.none() | amounts),
    rest=counts,
    numbers=st.tuples(counts, counts, counts),
)
def test_a_cost_is_exact(price: Price, rest: int, numbers: tuple[int, int, int]) -> None:
    out, cached, written = numbers
    cost = price.of(Tokens(rest + cached + written, out, cached, written))
    parts = [
        (rest, price.input),
        (out, price.output),
        (cached, price.input if price.cached_input is None else price.cached_input),
        (written, price.input if price.cache_write is None else price.cache_write),
    ]
    expected = sum((number * Fraction(amount) for number, amount in parts), Fraction(0)) / 10**6
    assert Fraction(cost) == expected
    assert Fraction(added(cost, Decimal("0.000001"))) == expected + Fraction(1, 10**6)


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("gemini-2.5-flash-001", "gemini-2.5-flash"),
        ("gpt-4o-realtime", None),
        ("gpt-4", None),
        ("somewhere/gpt-4o", None),
        ("", None),
        (None, None),
    ],
)
def test_a_price_is_found_by_the_name_or_by_that_without_its_release(model: str | None, found: str | None) -> None:
    assert price_of(model, PRICES) == (None if found is None else PRICES[found])


@pytest.mark.parametrize("amount", [0.1, -1, "-0.5", "much", "nan", "inf", None, True, "1e400", b"1"])
def test_what_is_no_amount_is_refused(amount: Any) -> None:
    with pytest.raises(BadInputError, match="price is"):
        Price(amount, 1)
    if amount is not None:
        with pytest.raises(BadInputError, match="cached_input price is"):
            Price(1, 1, cached_input=amount)


def test_amounts_may_be_given_in_three_ways() -> None:
    assert Price("0.25", 1, Decimal("0.1")) == Price(Decimal("0.25"), "1", "0.1")


def test_the_list_says_of_which_day_it_is_and_that_a_cache_is_not_dearer() -> None:
    assert AS_OF.year >= 2026
    assert all(price.cached_input is None or price.cached_input <= price.input for price in PRICES.values())
