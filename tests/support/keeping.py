"""Write the stored histories anew: `python -m tests.support.keeping`.

Two stores are written, and what is read from each: SQLite's file, and a dump of PostgreSQL's schema in plain SQL; and
the recorded history of one thread from each.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.histories import RecordedHistory
from tests.support.postgres import programs, running_server
from tests.support.telling import RECORDED, read, tell

FOLDER = Path(__file__).parents[1] / "histories"
NAME = "0.1"
# Commands of psql, which nobody else knows; comments; and a setting that older servers have not.
_LEFT_OUT = ("\\", "--", "SET transaction_timeout")


def main() -> None:
    """Write both."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        _keep("sqlite.json", _json(_told("sqlite", f"sqlite:///{path}")))
        _keep("sqlite.db", path.read_bytes())
    with running_server() as url:
        _keep("postgres.json", _json(_told("postgres", url)))
        dump = [str(programs() / "pg_dump"), "--no-owner", "--no-privileges", "--inserts", "--dbname", url]
        written = subprocess.run(dump, check=True, capture_output=True, text=True).stdout
        kept = "\n".join(line for line in written.splitlines() if line and not line.startswith(_LEFT_OUT))
        _keep("postgres.sql", kept.encode())


def _told(backend: str, url: str) -> Any:
    with EventStoreSaver.from_conn_string(url) as saver:
        tell(saver)
        RecordedHistory.of(saver, RECORDED).write(FOLDER / f"{NAME}.{backend}.history")
        return read(saver)


def _json(found: Any) -> bytes:
    return json.dumps(found, sort_keys=True, indent=1).encode()


def _keep(name: str, data: bytes) -> None:
    # Without a time in it: what is the same stays the same.
    (FOLDER / f"{NAME}.{name}.gz").write_bytes(gzip.compress(data, mtime=0))


if __name__ == "__main__":
    main()
