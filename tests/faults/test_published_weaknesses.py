"""Published weaknesses of checkpoint savers, each by its CVE number: this one has none of them."""

from __future__ import annotations

import json
import os
import pickle
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from langchain_core.messages import AIMessage

from eventstore import EventStoreError, TypeChangedError, TypeNotAllowedError
from eventstore.codec import PACK
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore._serde import StrictSerializer
from projections.values.change import checksum
from tests.support.damaging import damage, stored
from tests.support.saving import Calls, at, id_of, numbers, save
from tests.support.tables import rows, stored_bytes

INJECTIONS = [
    "x') OR 1=1 --",
    "a') = 'b' OR '1'='1",
    "user') UNION SELECT name FROM streams --",
    '$."a" OR 1=1',
    "}) | (@thread_id:{*",
    "*",
    "@source:{loop} | @step:[0 9]",
    "$ne",
    "' ; DROP TABLE events; --",
]


def hostile(saver: EventStoreSaver, url: str, encoding: str, data: bytes) -> None:
    """Put a value of somebody else's where one of ours was, with a checksum that holds: only its kind can tell."""
    save(saver, 1, {"state": "harmless"})
    forged = damage(
        url, stored("state", lambda it: it._replace(encoding=encoding, data=data, checksum=checksum(encoding, data)))
    )
    assert forged == [1]


def refuses(saver: EventStoreSaver) -> None:
    """Hold that whoever reads the value gets an error of ours that names its type."""
    saver.checkpoints.drop_cache()
    for read in (lambda: saver.get_tuple(at()), lambda: [*saver.list(None)]):
        with pytest.raises((TypeNotAllowedError, TypeChangedError)):
            read()


def test_cve_2025_64439_a_text_that_is_no_unicode_leads_to_no_other_format_and_json_makes_no_objects(
    saver: EventStoreSaver, calls: Calls, url: str, tmp_path: Path
) -> None:
    """LangGraph fell back to JSON for lone surrogates, and JSON named any function to call (`lc: 2`)."""
    kind, _ = StrictSerializer().dumps_typed("plain")
    with suppress(TypeError, ValueError, EventStoreError):  # if it is refused, it is not written in another way either
        assert StrictSerializer().dumps_typed({"text": "\ud800"})[0] == kind
    proof = tmp_path / "proof"
    call = {"lc": 2, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": f"touch {proof}"}}
    hostile(saver, url, "json", json.dumps([call]).encode())
    refuses(saver)
    assert not proof.exists()


@pytest.mark.parametrize("key", INJECTIONS)
def test_cve_2025_67644_the_keys_of_a_filter_are_no_sql(calls: Calls, url: str, key: str) -> None:
    """LangGraph's saver for SQLite built its statement from the keys of `filter`."""
    filtered_by(calls, url, {key: "x"})


@pytest.mark.parametrize("value", INJECTIONS)
def test_cve_2026_27022_neither_keys_nor_values_of_a_filter_are_a_query(calls: Calls, url: str, value: str) -> None:
    """The saver for Redis built a search from them, and so found other people's threads."""
    filtered_by(calls, url, {"source": value})
    filtered_by(calls, url, {value: value})


def filtered_by(calls: Calls, url: str, wanted: dict[str, Any]) -> None:
    save(calls, 1, thread="mine", metadata={"user": "me"})
    save(calls, 1, thread="theirs", metadata={"user": "them"})
    before = rows(url)
    for config in (None, at("mine")):
        assert calls.list(config, filter=wanted) == []
    assert rows(url) == before
    save(calls, 2, thread="mine", parent=1, metadata=wanted)
    assert [item.checkpoint["id"] for item in calls.list(None, filter=wanted)][:1] == [id_of(2)]
    assert numbers(calls, "theirs") == [1]


def test_cve_2025_8709_the_operators_of_a_filter_are_no_sql(calls: Calls, url: str) -> None:
    """LangGraph's store for SQLite put the operators of a filter, and what they compare with, into its statement."""
    for operator in ("$eq", "$gt", "$ne", "$in", "') OR 1=1 --"):
        for value in ("x' OR '1'='1", {"$gt": ""}, 0):
            save(calls, 1, thread="mine", metadata={"user": "me"})
            before = rows(url)
            try:
                found = calls.list(None, filter={"user": {operator: value}})
            except EventStoreError:
                found = []
            assert found == []
            assert rows(url) == before


def test_cve_2026_27794_no_value_is_ever_unpickled(saver: EventStoreSaver, url: str, tmp_path: Path) -> None:
    """LangGraph's caches fell back to pickle for what msgpack refuses."""
    proof = tmp_path / "proof"

    class Bomb:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {proof}",)

    with pytest.raises(EventStoreError):
        save(saver, 1, {"state": Bomb()})
    assert b"os\nsystem" not in stored_bytes(url)
    hostile(saver, url, "pickle", pickle.dumps(Bomb()))
    saver.checkpoints.drop_cache()
    with pytest.raises(EventStoreError):
        saver.get_tuple(at())
    assert not proof.exists()


@pytest.mark.parametrize("module", ["os", "tests.support.bomb"])
@pytest.mark.parametrize("code", range(7))
def test_cve_2026_28277_msgpack_names_no_function_to_call_and_no_module_to_import(
    saver: EventStoreSaver, url: str, tmp_path: Path, code: int, module: str
) -> None:
    """LangGraph imported and called whatever the extension types of stored msgpack named."""
    proof = tmp_path / "proof"
    sys.modules.pop("tests.support.bomb", None)
    call = ormsgpack.packb((module, "system", f"touch {proof}", "system"))
    hostile(saver, url, "msgpack", ormsgpack.packb([ormsgpack.Ext(code, call)], option=PACK))
    refuses(saver)
    assert not proof.exists()
    assert "tests.support.bomb" not in sys.modules


@pytest.mark.parametrize("version", [1, 2])
def test_cve_2026_48775_json_makes_no_object_by_a_method_that_it_names(
    saver: EventStoreSaver, url: str, version: int
) -> None:
    """LangGraph's JSON could name, beside a class, the method by which to make it."""
    path = [*AIMessage.__module__.split("."), "AIMessage"]
    call = {"lc": version, "type": "constructor", "id": path, "method": "model_construct", "kwargs": {"content": 7}}
    hostile(saver, url, "json", json.dumps({"messages": [call]}).encode())
    refuses(saver)


@pytest.mark.parametrize("kind", ["msgpack", "json", "pickle", "null", "bytes", "unheard-of", "msgpack+aes"])
def test_cve_2026_48121_whatever_encoding_a_stored_value_claims_no_object_is_made_of_it(
    saver: EventStoreSaver, url: str, tmp_path: Path, kind: str
) -> None:
    """No public text says what this one is: so the class is tested that all the others are of, with each encoding."""
    proof = tmp_path / "proof"
    call = {"lc": 2, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": f"touch {proof}"}}
    hostile(saver, url, kind, json.dumps([call]).encode())
    saver.checkpoints.drop_cache()
    try:
        item = saver.get_tuple(at())
    except EventStoreError:
        pass
    else:
        assert item is not None
        assert type(item.checkpoint["channel_values"]["state"]) in (bytes, int, type(None))
    assert not proof.exists()
