"""Prices of models, and what a number of tokens costs by them: exact, in decimals. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from eventstore import BadInputError
from eventstore.arguments import refused
from projections.usage.messages import Tokens

_MILLION = 6
# Enough digits that nothing is ever rounded: of any number of tokens that can be counted, at any price.
_EXACT = Context(prec=200)
# How a model's name tells one release of it: -2024-08-06, -20250929, @20250929, -001, -latest.
_RELEASE = re.compile(r"(?:-\d{4}-\d{2}-\d{2}|[-@]\d{8}|-\d{3}|-latest)\Z")
# How Google's own interface names its models. Other makers' names before a model's say who runs it, at another price.
_GOOGLE = "models/"
_MOST_DIGITS = 30


Amount = Decimal | int | str
"""A price as it may be given; a text is such as `"0.25"`. A float is refused: 0.1 would not be 0.1."""


@dataclass(frozen=True, slots=True, init=False)
class Price:
    """The price of a model, in any currency, for each million tokens.

    Attributes:
        input: Of what goes in.
        output: Of what comes out, the model's reasoning included.
        cached_input: Of the input that is read from a cache; `None`: the same as other input.
        cache_write: Of the input that is written into a cache; `None`: the same as other input.

    Raises:
        BadInputError: A price is no number, a float, or negative.
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal | None
    cache_write: Decimal | None

    def __init__(
        self,
        input: Amount,  # noqa: A002 (what it is the price of)
        output: Amount,
        cached_input: Amount | None = None,
        cache_write: Amount | None = None,
    ) -> None:
        given = {"input": input, "output": output, "cached_input": cached_input, "cache_write": cache_write}
        for name, amount in given.items():
            optional = amount is None and name.startswith("cache")
            object.__setattr__(self, name, None if optional else _decimal(name, amount))

    def of(self, tokens: Tokens) -> Decimal:
        """Return the cost of some tokens."""
        cached = self.input if self.cached_input is None else self.cached_input
        written = self.input if self.cache_write is None else self.cache_write
        plain = max(tokens.input - tokens.cached - tokens.cache_written, 0)
        parts = (
            (plain, self.input),
            (tokens.cached, cached),
            (tokens.cache_written, written),
            (tokens.output, self.output),
        )
        cost = Decimal(0)
        for count, price in parts:
            cost = added(cost, _EXACT.multiply(Decimal(count), price))
        return cost.scaleb(-_MILLION, _EXACT)


Prices = Mapping[str, Price]
"""The price of each model, by its name."""


def added(one: Decimal, other: Decimal) -> Decimal:
    """Return a sum, exactly."""
    return _EXACT.add(one, other)


def price_of(model: str | None, prices: Prices) -> Price | None:
    """Return the price of a model; `None` if there is none.

    The name as a message says it comes first, then without the date or number of its release. `gpt-4o-mini` is never
    taken for `gpt-4o`.
    """
    if model is None:
        return None
    name = model.removeprefix(_GOOGLE)
    return prices.get(model) or prices.get(name) or prices.get(_RELEASE.sub("", name))


def check_prices(name: str, prices: object) -> None:
    """Refuse what is no table of prices.

    Raises:
        BadInputError: It is none.
    """
    if not isinstance(prices, Mapping):
        raise refused(name, prices, 'use a dict, such as {"my-model": Price("2.50", "10")}')
    for model, price in prices.items():
        if not isinstance(model, str):
            raise refused(f"a model in {name}", model, "use its name")
        if not isinstance(price, Price):
            raise refused(f"{name}[{model!r}]", price, 'use a Price, such as Price("2.50", "10")')


def prices_from(document: Any) -> dict[str, Price]:
    """Return the prices of a JSON document: `{"my-model": {"input": "2.50", "output": "10"}}`, floats as decimals.

    Raises:
        BadInputError: It is another document.
    """
    if not isinstance(document, dict):
        raise BadInputError('prices are a JSON object, such as {"my-model": {"input": "2.50", "output": "10"}}')
    found = {}
    for model, fields in document.items():
        try:
            found[model] = Price(**fields)
        except TypeError as error:
            known = ", ".join(Price.__slots__)
            raise BadInputError(f"the price of {model!r} is no object with input and output: use {known}") from error
    return found


def _decimal(name: str, value: object) -> Decimal:
    advice = 'use a decimal, a whole number or a text such as "0.25", not negative'
    if type(value) not in (Decimal, int, str):
        raise refused(f"the {name} price", value, advice)
    try:
        found = Decimal(value)  # type: ignore[arg-type]  # one of the three
    except (InvalidOperation, ValueError) as error:
        raise refused(f"the {name} price", value, advice) from error
    if (
        not found.is_finite()
        or found < 0
        or len(found.as_tuple().digits) > _MOST_DIGITS
        or abs(found.adjusted()) > _MOST_DIGITS
    ):
        raise refused(f"the {name} price", str(value), advice)
    return found
