"""The factory by which an application of the `eventsourcing` library makes its recorders."""

from __future__ import annotations

import threading
import weakref
from typing import Any, TypeVar

from eventsourcing import persistence as es
from eventsourcing.utils import Environment, EnvType, resolve_topic, strtobool

from eventstore.address import options_of
from eventstore.environment import check_variables, read_options
from eventstore.errors import BadInputError
from eventstore.recorders import Recorder
from eventstore.store import EventStore
from eventstore_eventsourcing.events import (
    LogAggregateRecorder,
    LogApplicationRecorder,
    LogProcessRecorder,
)
from eventstore_eventsourcing.recorder import OriginatorIdType, translated
from eventstore_eventsourcing.snapshots import LogSnapshotRecorder
from eventstore_eventsourcing.tracking import LogTrackingRecorder

R = TypeVar("R", bound=es.Recorder)


def _close(recorder: Recorder) -> None:
    # The garbage collector calls this in any thread and at any moment, so also in one that holds a lock of the
    # recorder's: closing, which needs that lock, would wait for itself.
    closing = threading.Thread(target=recorder.close, name="eventstore-close", daemon=True)
    try:
        closing.start()
    except RuntimeError:  # at the interpreter's end, where no thread begins and none holds a lock
        recorder.close()


class Factory(es.InfrastructureFactory[LogTrackingRecorder]):
    """Makes the recorders of an application, on a store that it opens.

    Environment variables, each also with the application's name and `_` before it:

    - `EVENTSTORE_URL`: where the store is, see `EventStore.open`. Required.
    - `EVENTSTORE_SCHEMA`, `EVENTSTORE_POOL_SIZE`, `EVENTSTORE_PREPARE`, `EVENTSTORE_CONNECT_TIMEOUT`,
      `EVENTSTORE_SYNCHRONOUS`, `EVENTSTORE_BUSY_TIMEOUT`, `EVENTSTORE_MAX_VALUE_BYTES`: its options of these names.
    - `CREATE_TABLE`: whether tables may be created and updated, yes by default.
    - `ORIGINATOR_ID_TYPE`: `uuid`, the default, or `text`.
    - `APPLICATION_RECORDER_TOPIC`, `TRACKING_RECORDER_TOPIC`, `PROCESS_RECORDER_TOPIC`: subclasses to use instead.
    """

    EVENTSTORE_URL = "EVENTSTORE_URL"
    ORIGINATOR_ID_TYPE = "ORIGINATOR_ID_TYPE"
    CREATE_TABLE = "CREATE_TABLE"

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        url = self.env.get(self.EVENTSTORE_URL)
        if not url:
            keys = ", ".join(self.env.create_keys(self.EVENTSTORE_URL))
            raise OSError(f"there is no event store in the environment: set one of {keys}")
        self.originator_id_type = self._originator_id_type()
        with translated():
            migrate = strtobool(self.env.get(self.CREATE_TABLE, "y"))
            self.store = EventStore.open(url, **{"migrate": migrate, **self._options(), **options_of(url)})
        # A view outlives the factory that made it, and nobody closes it: it goes with the last that uses the store.
        weakref.finalize(self.store, _close, self.store.recorder)

    def aggregate_recorder(self, purpose: str = "events") -> es.AggregateRecorder:
        """A recorder for aggregates' events, which are in the log; for any other purpose, beside it."""
        if purpose == "events":
            return LogAggregateRecorder(self.store, self.originator_id_type)
        return LogSnapshotRecorder(self.store, self.originator_id_type, purpose=purpose)

    def application_recorder(self) -> es.ApplicationRecorder:
        """A recorder for an application."""
        chosen = self._chosen(self.APPLICATION_RECORDER_TOPIC, LogApplicationRecorder)
        return chosen(self.store, self.originator_id_type)

    def tracking_recorder(
        self, tracking_recorder_class: type[LogTrackingRecorder] | None = None
    ) -> LogTrackingRecorder:
        """A recorder for a projection's view."""
        chosen = tracking_recorder_class or self._chosen(self.TRACKING_RECORDER_TOPIC, LogTrackingRecorder)
        return chosen(self.store, self.originator_id_type)

    def process_recorder(self) -> es.ProcessRecorder:
        """A recorder for an application that follows another one."""
        chosen = self._chosen(self.PROCESS_RECORDER_TOPIC, LogProcessRecorder)
        return chosen(self.store, self.originator_id_type)

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def _chosen(self, key: str, usual: type[R]) -> type[R]:
        topic = self.env.get(key)
        chosen = resolve_topic(topic) if topic else usual
        if not (isinstance(chosen, type) and issubclass(chosen, usual)):
            raise OSError(f"{key} is {topic}: it must name a subclass of {usual.__name__}")
        return chosen

    def _options(self) -> dict[str, Any]:
        try:
            check_variables(self.env)
            return read_options(self.env.get)
        except BadInputError as error:
            raise OSError(str(error)) from error

    def _originator_id_type(self) -> OriginatorIdType:
        found = self.env.get(self.ORIGINATOR_ID_TYPE, "uuid").lower()
        if found not in ("uuid", "text"):
            raise OSError(f"{self.ORIGINATOR_ID_TYPE} is {found!r}: use uuid or text")
        return "uuid" if found == "uuid" else "text"
