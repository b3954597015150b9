"""Adding up spendings by groups, exactly, one after the other. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from eventstore.events import from_microseconds
from projections.audit.reading import stored_json
from projections.tables.usage import SpentRow
from projections.usage.messages import Tokens
from projections.usage.prices import Prices, added, price_of
from projections.usage.report import UsageRow
from projections.usage.sightings import Rank

Group = tuple[str | None, ...]


@dataclass(slots=True)
class _Sum:
    messages: int = 0
    tokens: list[int] = field(default_factory=lambda: [0] * len(Tokens._fields))
    cost: Decimal = Decimal(0)
    unpriced: int = 0
    sealed: int = 0

    def row(self, group: Mapping[str, str | None]) -> UsageRow:
        """Return the sums of a group."""
        into, out, cached, written, reasoning = self.tokens
        return UsageRow(
            group, self.messages, into, out, cached, written, reasoning, self.cost, self.unpriced, self.sealed
        )


class Sums:
    """The sums of spendings.

    Args:
        by: The dimensions that they are grouped by.
        prices: The prices.
        user_keys: The keys of metadata that name a user, the first that is there.
    """

    def __init__(self, by: Sequence[str], prices: Prices, user_keys: Sequence[str]) -> None:
        self._by = by
        self._prices = prices
        self._user_keys = user_keys
        self._groups: dict[Group, _Sum] = {}
        self._total = _Sum()

    def add(self, spent: SpentRow) -> None:
        """Add a spending to its group and to the total."""
        tokens = Tokens(spent.input, spent.output, spent.cached, spent.cache_written, spent.reasoning)
        price = price_of(spent.model, self._prices)
        group = tuple(_dimension(name, spent, self._user_keys) for name in self._by)
        for each in (self._groups.setdefault(group, _Sum()), self._total):
            if spent.rank == Rank.SEALED:
                each.sealed += 1
                continue
            each.messages += 1
            each.tokens = [one + other for one, other in zip(each.tokens, tokens, strict=True)]
            if price is None:
                each.unpriced += 1
            else:
                each.cost = added(each.cost, price.of(tokens))

    def rows(self) -> list[UsageRow]:
        """Return a row for each group, the dearest first, then those with the most tokens."""
        found = [each.row(dict(zip(self._by, group, strict=True))) for group, each in self._groups.items()]
        return sorted(
            found, key=lambda row: (-row.known_cost, -row.total_tokens, [str(name) for name in row.group.values()])
        )

    def total(self) -> UsageRow:
        """Return the row of all of them."""
        return self._total.row({})


def metadata_of(spent: SpentRow) -> dict[str, Any]:
    """Return the caller's metadata of a spending.

    Raises:
        CorruptionError: Its row was damaged.
    """
    return stored_json(dict, spent.metadata)


def user_of(spent: SpentRow, keys: Sequence[str]) -> str | None:
    """Return the user of a spending, by the first of some keys of metadata that is there."""
    about = metadata_of(spent)
    return next((str(about[key]) for key in keys if about.get(key) is not None), None)


def _dimension(name: str, spent: SpentRow, user_keys: Sequence[str]) -> str | None:
    if name == "user":
        return user_of(spent, user_keys)
    if name == "day":
        moment: datetime = from_microseconds(spent.recorded_at)
        return moment.astimezone(UTC).date().isoformat()
    found: str | None = getattr(spent, name)
    return found
