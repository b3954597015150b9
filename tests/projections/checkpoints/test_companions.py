"""All that is built on checkpoints is made in one way: of a `Checkpoints`, or of the store itself."""

from __future__ import annotations

from typing import Any

import pytest

from eventstore import BadInputError, EventStore, SchemaError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit, Branches, Recovery, Timeline
from tests.support.saving import id_of, save

each = pytest.mark.parametrize("companion", [Audit, Branches, Recovery, Timeline])


@each
def test_it_is_made_of_checkpoints_or_of_a_store(companion: Any, saver: EventStoreSaver) -> None:
    assert companion(saver.checkpoints).checkpoints is saver.checkpoints
    assert companion(saver.store).store is saver.store


@each
@pytest.mark.parametrize("given", [None, "sqlite:///:memory:"])
def test_nothing_else_will_do(companion: Any, given: Any) -> None:
    with pytest.raises(BadInputError, match="neither a Checkpoints"):
        companion(given)


@each
def test_it_makes_no_tables_where_that_is_not_allowed(companion: Any, new_url: str) -> None:
    with EventStore.open(new_url) as store, pytest.raises(SchemaError):
        companion(store, migrate=False)


def test_one_that_is_made_of_the_store_tells_the_same(saver: EventStoreSaver) -> None:
    for number in (1, 2):
        save(saver, number, parent=number - 1 or None)
    Branches(saver.store).fork("thread", "fork", at=id_of(1))
    one, other = Timeline(saver.store), Timeline(saver.checkpoints)
    assert [*one.entries(["thread", "fork"], saver.serde)] == [*other.entries(["thread", "fork"], saver.serde)]
    assert Recovery(saver.store).check("fork", saver.serde).ok
