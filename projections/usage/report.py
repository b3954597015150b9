"""The answers to questions about usage: plain frozen values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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

    def cells(self) -> tuple[str, ...]:
        """The same as texts for a table: the values of the group, messages, tokens in and out, and the money."""
        cost = f"{self.known_cost:f}" if self.cost is not None else f"{self.known_cost:f} + ?"
        group = ("?" if value is None else value for value in self.group.values())
        return (*group, *(f"{number:,}" for number in (self.messages, self.input_tokens, self.output_tokens)), cost)

    def _repr_html_(self) -> str:
        return _table(self.group, [self])


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

    def _repr_html_(self) -> str:
        total = (*("total", *[""] * len(self.by))[: len(self.by)], *self.total.cells()[len(self.total.group) :])
        return _table(self.by, self.rows, [total], self.currency)


def _table(
    by: Iterable[str], rows: Iterable[UsageRow], more: Iterable[tuple[str, ...]] = (), currency: str | None = None
) -> str:
    from projections.diffing.html import table  # noqa: PLC0415 (only notebooks ask)

    cost = f"cost ({currency})" if currency else "cost"
    return table((*by, "messages", "tokens in", "tokens out", cost), [*(row.cells() for row in rows), *more])
