"""The consistency check of a thread: nothing is found where nothing is wrong, and all that is wrong is found."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from pydantic import BaseModel

from eventstore import ChainError, NotFoundError, UnavailableError
from eventstore.codec.envelope import erased, seal, unseal
from eventstore.recorders.sqlite.errors import translate
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore._serde import StrictSerializer
from projections import Damage, Progress, Recovery, Report
from projections.records import CHECKPOINT_SAVED, WRITES_SAVED
from projections.values.change import WHOLE, Change, checksum
from tests.support.counted import Bench
from tests.support.damaging import damage, drop_segments, marker, payloads, store, stored, values, without
from tests.support.examples import examples
from tests.support.flavour import Flavour
from tests.support.pace import in_each_durability
from tests.support.saving import at, id_of, save, step
from tests.support.stage import Durability, Stage, thread
from tests.support.stories import Story, each_story, tell
from tests.support.tables import execute, rows

STEPS = 50
DAMAGED = 10


@pytest.fixture
def ran(make_saver: Callable[..., EventStoreSaver]) -> EventStoreSaver:
    """A saver that has saved a run: its checkpoint of a number stands at that version; then what two tasks wrote."""
    saver = make_saver()
    for number in range(1, STEPS + 1):
        save(saver, number, values(number), parent=number - 1 or None)
    saver.put_writes(at(number=STEPS), [("text", marker(1))], "task")
    saver.put_writes(at(number=STEPS), [("text", marker(2))], "other")
    return saver


def check(saver: EventStoreSaver, name: str = "thread", flavour: Flavour = Flavour.SYNC, **options: Any) -> Report:
    """The report on a thread; and that nothing was changed by making it."""
    report: Report = Bench(saver, flavour).call(Recovery(saver.checkpoints), "check", name, saver.serde, **options)
    assert report.ok == (not report.findings)
    return report


def found(report: Report) -> list[tuple[Damage, int, str | None]]:
    """Return the findings of a report, without the words."""
    assert all(finding.message for finding in report.findings)
    return [(finding.kind, finding.version, finding.channel) for finding in report.findings]


# Nothing wrong --------------------------------------------------------------------------------------------------------


def test_a_sound_thread_is_found_sound_and_counted(ran: EventStoreSaver, url: str, flavour: Flavour) -> None:
    before = rows(url)
    report = check(ran, flavour=flavour)
    assert report == Report("thread", STEPS + 2, STEPS + 2, 0, STEPS, 2, 4 * STEPS)
    assert rows(url) == before


def test_progress_is_told_in_both_stages(ran: EventStoreSaver, flavour: Flavour) -> None:
    told: list[Progress] = []
    check(ran, flavour=flavour, progress=told.append)
    assert {progress.stage for progress in told} == {"log", "values"}
    assert told[-1] == Progress("values", STEPS + 2, STEPS + 2)
    assert all(progress.done <= progress.total for progress in told)


@in_each_durability
@each_story
def test_each_story_is_sound_and_so_are_its_forks_and_what_a_prune_leaves(
    story: Story, saver: EventStoreSaver, durability: Durability
) -> None:
    stage = Stage(saver, Flavour.SYNC, durability)
    graph = stage.compile(story.graph(), **story.options)
    name = stage.here(thread())["configurable"]["thread_id"]
    stage.perform(lambda stage: tell(stage, graph, story.before))
    saver.copy_thread(name, "fork")
    assert check(saver, name).ok
    saver.prune(["fork"])
    assert check(saver, "fork").ok
    saver.copy_thread("fork", "fork of the fork")
    saver.prune([name])
    stage.perform(lambda stage: tell(stage, graph, story.after))
    for each in (name, "fork", "fork of the fork"):
        report = check(saver, each)
        assert report.ok, report.findings
    saver.checkpoints.rebuild()
    assert check(saver, name).ok


class Act(NamedTuple):
    """Something that happens to one of three threads."""

    what: str
    thread: str
    other: str
    number: int


acts = st.lists(
    st.builds(
        Act,
        st.sampled_from(["save", "save", "save", "again", "writes", "early", "copy", "prune", "runs", "delete"]),
        st.sampled_from("abc"),
        st.sampled_from("abcd"),
        st.integers(0, 3),
    ),
    max_size=40,
)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(acts=acts)
def test_whatever_happened_to_threads_they_are_sound(saver: EventStoreSaver, acts: list[Act]) -> None:
    prefix = uuid4().hex
    latest: dict[str, int] = {}
    for act in acts:
        name, other, last = prefix + act.thread, prefix + act.other, latest.get(prefix + act.thread)
        more: dict[str, Any] = {"thread": name, "metadata": {"run_id": f"{prefix}{act.number}"}}
        if act.what == "save":
            latest[name] = (last or 0) + 1
            save(saver, latest[name], {"log": [*range(latest[name])], "x": act.number}, parent=last, **more)
        elif last is None:
            continue
        elif act.what == "again":
            save(saver, last, {"log": ["again"]}, parent=last - 1 or None, **more)
        elif act.what in ("writes", "early"):
            number = last + (act.what == "early")
            saver.put_writes(at(name, number), [("log", act.number)], f"task {act.number}")
        elif act.what == "copy" and other not in latest:
            saver.copy_thread(name, other)
            latest[other] = last
        elif act.what == "prune":
            saver.prune([name])
        elif act.what == "runs":
            saver.delete_for_runs([f"{prefix}{act.number}"])
        elif act.what == "delete":
            saver.delete_thread(name)
            del latest[name]
    for name in latest:
        report = check(saver, name)
        assert report.ok, report.findings
        assert report.checkpoints == len([*saver.list({"configurable": {"thread_id": name}})])


def test_a_fork_does_not_show_what_a_deleted_run_saved_and_saved_again_after_the_fork(saver: EventStoreSaver) -> None:
    ofrun: dict[str, Any] = {"metadata": {"run_id": "run"}}
    save(saver, 1, {"log": ["once"]}, **ofrun)
    saver.copy_thread("thread", "fork")
    save(saver, 1, {"log": ["again"]}, **ofrun)
    saver.delete_for_runs(["run"])
    for name in ("thread", "fork"):
        assert [*saver.list({"configurable": {"thread_id": name}})] == []
        assert check(saver, name).ok


def run_of(saver: EventStoreSaver, first: int, last: int, name: str = "thread") -> None:
    """Save the checkpoints of some numbers, each with what a task wrote there, and each as a run of its own."""
    for number in range(first, last + 1):
        step(saver, number, thread=name, writes=True, run_id=f"run {number}")


def arrives_early(saver: EventStoreSaver, number: int) -> None:
    """Let what a task wrote arrive before its checkpoint, or after that became unreachable."""
    saver.put_writes(at(number=number), [("count", number), ("third", -number)], "task")


def test_what_waited_for_a_checkpoint_is_not_missed_when_that_was_saved_and_pruned(saver: EventStoreSaver) -> None:
    run_of(saver, 1, 3)
    arrives_early(saver, 5)
    saver.checkpoints.rollback("thread", back=1)
    run_of(saver, 3, 6)
    saver.prune(["thread"])
    assert check(saver).ok
    run_of(saver, 7, 7)
    saver.checkpoints.rollback("thread", back=0)
    saver.prune(["thread"])
    assert check(saver).ok


def test_what_waited_for_a_checkpoint_is_not_missed_when_that_became_unreachable_and_its_run_deleted(
    saver: EventStoreSaver,
) -> None:
    arrives_early(saver, 4)
    run_of(saver, 1, 5)
    saver.checkpoints.rollback("thread", back=3)
    saver.delete_for_runs(["run 4"])
    assert check(saver).ok


def test_what_a_fork_shares_of_a_deleted_run_does_not_wait_to_be_saved_by_the_fork(saver: EventStoreSaver) -> None:
    run_of(saver, 1, 5)
    saver.copy_thread("thread", "fork")
    saver.delete_for_runs(["run 5"])
    saver.checkpoints.rollback("fork", back=1)
    step(saver, 4, thread="fork")
    step(saver, 5, thread="fork")
    latest = saver.get_tuple(at("fork"))
    assert latest
    assert (latest.config["configurable"]["checkpoint_id"], latest.pending_writes) == (id_of(5), [])
    run_of(saver, 6, 6, "fork")
    saver.prune(["fork"])
    assert check(saver, "fork").ok


def test_a_thread_that_others_write_to_meanwhile_is_sound(make_saver: Callable[..., EventStoreSaver]) -> None:
    saver, stopped = make_saver(), threading.Event()
    step(saver, 1)

    def go_on() -> None:
        number = 2
        while not stopped.is_set():
            step(saver, number, writes=True)
            if number % 25 == 0:
                saver.prune(["thread"])
            number += 1

    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        reader = make_saver()
        for _ in range(15):
            report = check(reader)
            assert report.ok, report.findings
    finally:
        stopped.set()
        writer.join()


def test_a_thread_that_does_not_exist_cannot_be_checked(saver: EventStoreSaver, flavour: Flavour) -> None:
    with pytest.raises(NotFoundError):
        check(saver, "nobody's", flavour)


# Something wrong ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["list", "dict", "text", "overwritten"])
def test_a_value_that_was_damaged_is_named_by_version_and_channel_and_so_is_the_event(
    ran: EventStoreSaver, make_saver: Callable[..., EventStoreSaver], url: str, channel: str, flavour: Flavour
) -> None:
    assert damage(url, stored(channel, without(marker(DAMAGED))), DAMAGED) == [DAMAGED]
    drop_segments(url)
    report = check(make_saver(), flavour=flavour)
    # All later values build upon it: it is named once.
    assert found(report) == [(Damage.CHAIN, DAMAGED, None), (Damage.VALUE, DAMAGED, channel)]


def test_an_event_whose_bytes_mean_nothing_any_more_is_named_and_the_others_are_read(
    ran: EventStoreSaver, make_saver: Callable[..., EventStoreSaver], url: str
) -> None:
    store(url, STEPS, b"\x07nonsense")
    store(url, STEPS + 1, seal(b"nonsense"))
    report = check(make_saver())
    assert [each[:2] for each in found(report)] == [
        (Damage.CHAIN, STEPS),
        (Damage.CHAIN, STEPS + 1),
        (Damage.VALUE, STEPS + 1),
    ]
    assert (report.checkpoints, report.writes, report.values) == (STEPS - 1, 1, 4 * (STEPS - 1))


def test_an_event_that_is_missing_is_named_and_so_is_the_row_that_leads_to_it(
    ran: EventStoreSaver, make_saver: Callable[..., EventStoreSaver], url: str
) -> None:
    execute(url, f"DELETE FROM events WHERE version IN ({STEPS}, {STEPS + 2})")
    report = check(make_saver())
    assert (Damage.CHAIN, STEPS, None) in found(report)
    assert (Damage.CHAIN, STEPS + 2, None) in found(report) or report.version == STEPS + 1
    assert (Damage.EXTRA_ROW, STEPS, None) in found(report)


def test_rows_that_are_missing_are_named_until_they_are_rebuilt(
    ran: EventStoreSaver, make_saver: Callable[..., EventStoreSaver], url: str, flavour: Flavour
) -> None:
    execute(url, "DELETE FROM checkpoints WHERE version IN (3, 7)")
    execute(url, f"DELETE FROM writes WHERE version = {STEPS + 2}")
    saver = make_saver()
    report = check(saver, flavour=flavour)
    assert found(report) == [(Damage.MISSING_ROW, version, None) for version in (3, 7, STEPS + 2)]
    assert id_of(3) in report.findings[0].message
    saver.checkpoints.rebuild()
    assert check(saver).ok


def test_rows_past_the_end_of_the_log_are_named_until_they_are_rebuilt(
    ran: EventStoreSaver, make_saver: Callable[..., EventStoreSaver], url: str, flavour: Flavour
) -> None:
    execute(url, f"UPDATE checkpoints SET version = 900, shown_from = 900 WHERE checkpoint_id = '{id_of(8)}'")
    execute(url, f"UPDATE writes SET version = 901 WHERE version = {STEPS + 2}")
    report = check(saver := make_saver(), flavour=flavour)
    assert {(Damage.EXTRA_ROW, 900, None), (Damage.EXTRA_ROW, 901, None)} <= {*found(report)}
    saver.checkpoints.rebuild()
    assert check(saver).ok


def test_a_parent_that_is_shown_no_longer_though_nothing_was_forgotten_is_named_until_rows_are_rebuilt(
    ran: EventStoreSaver, make_saver: Callable[..., EventStoreSaver], url: str, flavour: Flavour
) -> None:
    execute(url, f"UPDATE checkpoints SET orphaned_at = 3 WHERE checkpoint_id IN ('{id_of(8)}', '{id_of(1)}')")
    report = check(saver := make_saver(), flavour=flavour)
    assert found(report) == [(Damage.MISSING_ROW, 8, None)]
    saver.checkpoints.rebuild()
    assert check(saver).ok


def test_a_thread_whose_ancestor_is_missing_is_checked_and_says_so(
    ran: EventStoreSaver, make_saver: Callable[..., EventStoreSaver], url: str
) -> None:
    ran.copy_thread("thread", "fork")
    if not url.startswith("sqlite"):
        execute(url, "ALTER TABLE lineage DISABLE TRIGGER ALL; ALTER TABLE streams DISABLE TRIGGER ALL")
    execute(url, "DELETE FROM streams WHERE name = 'thread'")
    assert (Damage.CHAIN, 0, None) in found(check(make_saver(), "fork"))
    with pytest.raises(ChainError, match="missing"):
        make_saver().store.verify()


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_IOERR | (2 << 8)])
def test_what_the_disk_could_not_read_just_now_is_no_damage(code: int) -> None:
    failed = sqlite3.OperationalError("disk I/O error")
    failed.sqlite_errorcode = code
    error = translate(failed, "a store")
    assert isinstance(error, UnavailableError)
    assert "try again" in str(error)
    assert "backup" not in str(error)


def test_rows_of_what_is_not_in_the_log_are_named_until_they_are_rebuilt(
    ran: EventStoreSaver, make_saver: Callable[..., EventStoreSaver], url: str
) -> None:
    named = "branch_id, namespace, checkpoint_id, version"
    new = "SELECT branch_id, '', 'new'"
    execute(
        url, f"INSERT INTO checkpoints ({named}, shown_from, origin_id) {new}, 5, 5, branch_id FROM checkpoints LIMIT 1"
    )
    execute(url, f"INSERT INTO writes ({named}) {new}, 6 FROM writes LIMIT 1")
    execute(url, f"UPDATE checkpoints SET run_id = 'somebody' WHERE checkpoint_id = '{id_of(8)}'")
    execute(url, f"UPDATE checkpoints SET parent_id = 'somebody' WHERE checkpoint_id = '{id_of(9)}'")
    saver = make_saver()
    assert found(check(saver)) == [(Damage.EXTRA_ROW, version, None) for version in (5, 6, 8, 9)]
    saver.checkpoints.rebuild()
    assert check(saver).ok


def test_a_row_of_writes_that_leads_to_what_was_erased_is_named_until_it_is_rebuilt(
    saver: EventStoreSaver, make_saver: Callable[..., EventStoreSaver], url: str, flavour: Flavour
) -> None:
    step(saver, 1, writes=True)
    step(saver, 2)
    saver.prune(["thread"])
    assert rows(url)["writes"] == []
    for number in (2, 3):  # one that is shown, and one to come
        named = "branch_id, namespace, checkpoint_id, version"
        execute(url, f"INSERT INTO writes ({named}) SELECT branch_id, '', '{id_of(number)}', 2 FROM checkpoints")
        again = make_saver()
        assert found(check(again, flavour=flavour)) == [(Damage.ERASED, 2, None)]
        again.checkpoints.rebuild()
        assert check(again).ok
        assert rows(url)["writes"] == []


def test_rows_that_show_what_was_forgotten_are_named(
    ran: EventStoreSaver, make_saver: Callable[..., EventStoreSaver], url: str
) -> None:
    ran.copy_thread("thread", "fork")  # so that nothing is erased
    ran.prune(["thread"])
    assert check(ran).ok
    assert check(ran, "fork").ok
    execute(url, f"UPDATE checkpoints SET retired_at = NULL WHERE version = {STEPS - 1}")
    assert found(check(make_saver())) == [(Damage.EXTRA_ROW, STEPS - 1, None)]
    assert check(make_saver(), "fork").ok


def test_content_that_was_erased_and_is_still_needed_is_named(
    ran: EventStoreSaver, make_saver: Callable[..., EventStoreSaver], url: str
) -> None:
    stored_bytes = dict(payloads(url, CHECKPOINT_SAVED))
    store(url, STEPS, erased(stored_bytes[STEPS]))
    store(url, 1, erased(stored_bytes[1]))
    drop_segments(url)
    report = check(make_saver())
    assert report.erased == 2
    assert (Damage.ERASED, STEPS, None) in found(report)
    assert (Damage.ERASED, 1, None) in found(report)
    # The chain holds, and what builds upon the first is named as what it is.
    assert {kind for kind, _, _ in found(report)} == {Damage.ERASED}
    assert (Damage.ERASED, 2, "overwritten") in found(report)


def test_segments_that_were_damaged_are_named_as_what_can_be_made_again(
    make_saver: Callable[..., EventStoreSaver], url: str, flavour: Flavour
) -> None:
    saver = make_saver()
    for number in range(1, 101):
        save(saver, number, values(number), parent=number - 1 or None)
    execute(url, "UPDATE segments SET change = substr(change, 1, length(change) - 3)")
    fresh = make_saver()
    report = check(fresh, flavour=flavour)
    assert {kind for kind, _, _ in found(report)} == {Damage.SEGMENT}
    fresh.checkpoints.rebuild_segments()
    assert check(fresh).ok


def test_a_write_that_was_damaged_is_named(
    ran: EventStoreSaver, make_saver: Callable[..., EventStoreSaver], url: str
) -> None:
    [(version, payload), _] = payloads(url, WRITES_SAVED)
    store(url, version, seal(unseal(payload).replace(marker(1).encode(), b"#" * len(marker(1)))))
    assert found(check(make_saver())) == [(Damage.CHAIN, version, None), (Damage.VALUE, version, "text")]


def test_several_damages_are_all_named(
    ran: EventStoreSaver, make_saver: Callable[..., EventStoreSaver], url: str, flavour: Flavour
) -> None:
    damage(url, stored("dict", without(marker(4))), 4)
    damage(url, stored("list", without(marker(5))), 5)
    drop_segments(url)
    execute(url, "DELETE FROM checkpoints WHERE version = 20")
    execute(url, f"UPDATE events SET recorded_at = recorded_at + 1 WHERE version = {STEPS + 2}")
    assert found(check(make_saver(), flavour=flavour)) == [
        (Damage.CHAIN, 4, None),
        (Damage.VALUE, 4, "dict"),
        (Damage.CHAIN, 5, None),
        (Damage.VALUE, 5, "list"),
        (Damage.MISSING_ROW, 20, None),
        (Damage.CHAIN, STEPS + 2, None),
    ]


def test_damage_in_a_parent_is_found_in_its_fork_if_the_fork_shares_it(
    ran: EventStoreSaver, make_saver: Callable[..., EventStoreSaver], url: str
) -> None:
    ran.copy_thread("thread", "fork")
    save(ran, STEPS + 1, values(STEPS + 1), parent=STEPS)
    later = f"topic = 'checkpoint.saved' AND version > {STEPS}"
    execute(url, f"UPDATE events SET recorded_at = recorded_at + 1 WHERE version = 3 OR {later}")
    saver = make_saver()
    assert found(check(saver, "fork")) == [(Damage.CHAIN, 3, None)]
    assert found(check(saver)) == [(Damage.CHAIN, 3, None), (Damage.CHAIN, STEPS + 3, None)]


class Model(BaseModel):
    """A type that not every saver here may make again."""

    text: str


def test_values_of_types_that_may_not_be_made_are_named_and_not_made(
    make_saver: Callable[..., EventStoreSaver], url: str
) -> None:
    saver = make_saver(allowed_types=[Model])
    save(saver, 1, {"model": Model(text="x"), "models": [Model(text=str(n)) for n in range(9)], "plain": 1})
    saver.put_writes(at(number=1), [("model", Model(text="y")), ("plain", 2)], "task")
    assert check(saver).ok
    strict = make_saver(allowed_types=[])
    report = check(strict)
    assert found(report) == [(Damage.TYPE, 1, "model"), (Damage.TYPE, 1, "models"), (Damage.TYPE, 2, "model")]
    assert "Model" in report.findings[0].message


def test_values_that_another_serializer_wrote_are_named_as_unreadable(
    make_saver: Callable[..., EventStoreSaver],
) -> None:
    key, other = (EncryptedSerializer.from_pycryptodome_aes(StrictSerializer(), key=bytes([n]) * 16) for n in (1, 2))
    saver = make_saver(serde=key)
    save(saver, 1, {"list": ["secret"], "number": 1})
    assert check(saver).ok
    assert found(check(make_saver(serde=other))) == [(Damage.UNREADABLE, 1, "list"), (Damage.UNREADABLE, 1, "number")]


def test_a_pickle_that_somebody_put_there_is_named_and_never_unpickled(
    make_saver: Callable[..., EventStoreSaver], url: str
) -> None:
    saver = make_saver()
    save(saver, 1, {"number": 1})
    data = b"cos\nabort\n(tR."
    damage(url, stored("number", lambda change: Change(WHOLE, 0, checksum("pickle", data), "pickle", data)))
    assert found(check(make_saver())) == [(Damage.CHAIN, 1, None), (Damage.FORMAT, 1, "number")]
