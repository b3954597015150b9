"""The answers to questions about usage: plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from eventstore.by_fields import OnOneLine


@dataclass(frozen=True, slots=True, repr=False)
class UsageRow(OnOneLine):
    """The tokens and the money of one group of messages.

    Attributes:
        group: What they have in common: the value of each dimension that was asked for, `None` where nobody knows it.
        messages: How many messages of models there are.
        input_tokens: All that went in, from a cache or not.
        output_tokens: All that came out, the model's reasoning included.
        cached_tokens: The part of the input that was read from a cache.
        cache_write_tokens: The part of the input that was written into a cache.
        reasoning_tokens: The part of the output that the model kept to itself.
        known_cost: The money of the messages whose models have a price.
        unpriced: How many messages are of a model without a price.
        sealed: How many events hold a value that cannot be looked into, since it was enciphered.
    """

    group: Mapping[str, str | None] = field(default_factory=dict)
    messages: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    known_cost: Decimal = Decimal(0)
    unpriced: int = 0
    sealed: int = 0

    @property
    def total_tokens(self) -> int:
        """All that went in, and all that came out."""
        return self.input_tokens + self.output_tokens

    @property
    def cost(self) -> Decimal | None:
        """The money; `None` if that is not known, since some of the messages have no price, or cannot be seen."""
        return None if self.unpriced or self.sealed else self.known_cost


@dataclass(frozen=True, slots=True, repr=False)
class UsageReport(OnOneLine):
    """An answer about usage.

    Attributes:
        by: The dimensions that were asked for.
        rows: A row for each group that there is: the dearest first, then those with the most tokens.
        total: All of them together.
        currency: What the money is in, if the default prices were used; `None`: whatever the caller's prices are in.
        prices_as_of: The day of the default prices; `None`: the caller gave the prices.
    """

    by: Sequence[str]
    rows: Sequence[UsageRow]
    total: UsageRow
    currency: str | None = None
    prices_as_of: date | None = None
