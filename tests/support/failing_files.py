"""A disk that fails under SQLite: at one of its writes, syncs and locks, once or for good, or the process dies there.

It stands between Python's `sqlite3` and its default file system (VFS), by the interface that SQLite has for that, so
that nothing of the store is replaced. It cannot be taken out again: use it in a process of its own.

    disk = FailingDisk()
    disk.fail(at=7, how="short write")
"""

from __future__ import annotations

import _sqlite3
import ctypes
import os
import signal
import threading
from collections.abc import Callable
from typing import Any, Literal

How = Literal["never", "error", "full", "short write", "for good", "killed before", "killed after"]
"""The fault: an I/O error; no room; half of the bytes are written, and then an error; an I/O error now and each time
from then on; the process is killed before the operation, or after it."""

OPERATIONS = ("write", "truncate", "sync", "lock", "map", "shared lock")
"""The operations that are counted, in the order of SQLite's table of methods."""

_OK, _BUSY, _FULL, _IOERR = 0, 5, 13, 10
_IOERR_WRITE, _IOERR_FSYNC, _IOERR_TRUNCATE, _IOERR_LOCK, _IOERR_SHMMAP = (
    _IOERR | number << 8 for number in (3, 4, 6, 15, 21)
)
_ERRORS = {
    "write": _IOERR_WRITE,
    "truncate": _IOERR_TRUNCATE,
    "sync": _IOERR_FSYNC,
    "lock": _IOERR_LOCK,
    "map": _IOERR_SHMMAP,
    "shared lock": _IOERR | 20 << 8,
}
_SHARED_UNLOCK = 1

_File, _Int, _Long = ctypes.c_void_p, ctypes.c_int, ctypes.c_longlong
_Write = ctypes.CFUNCTYPE(_Int, _File, ctypes.c_void_p, _Int, _Long)
_Truncate = ctypes.CFUNCTYPE(_Int, _File, _Long)
_OfInt = ctypes.CFUNCTYPE(_Int, _File, _Int)
_ShmMap = ctypes.CFUNCTYPE(_Int, _File, _Int, _Int, _Int, ctypes.c_void_p)
_ShmLock = ctypes.CFUNCTYPE(_Int, _File, _Int, _Int, _Int)
_Open = ctypes.CFUNCTYPE(_Int, ctypes.c_void_p, ctypes.c_char_p, _File, _Int, ctypes.c_void_p)


class _Methods(ctypes.Structure):
    """SQLite's `sqlite3_io_methods`."""

    _fields_ = (
        ("x_version", _Int),
        ("x_close", ctypes.c_void_p),
        ("x_read", ctypes.c_void_p),
        ("x_write", _Write),
        ("x_truncate", _Truncate),
        ("x_sync", _OfInt),
        ("x_size", ctypes.c_void_p),
        ("x_lock", _OfInt),
        ("x_unlock", ctypes.c_void_p),
        ("x_reserved", ctypes.c_void_p),
        ("x_control", ctypes.c_void_p),
        ("x_sector", ctypes.c_void_p),
        ("x_characteristics", ctypes.c_void_p),
        ("x_map", _ShmMap),
        ("x_shared_lock", _ShmLock),
        ("x_barrier", ctypes.c_void_p),
        ("x_unmap", ctypes.c_void_p),
        ("x_fetch", ctypes.c_void_p),
        ("x_unfetch", ctypes.c_void_p),
    )


class _FileSystem(ctypes.Structure):
    """The beginning of SQLite's `sqlite3_vfs`."""

    _fields_ = (
        ("x_version", _Int),
        ("file_bytes", _Int),
        ("path_bytes", _Int),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("open", _Open),
    )


class FailingDisk:
    """Counts the operations of all files that this process opens from now on, and lets one go wrong.

    Attributes:
        done: The operations since `fail` was called last, by name.
        happened: Whether one went wrong since then.
    """

    def __init__(self) -> None:
        self.done: list[str] = []
        self.happened = False
        self._at, self._how = -1, "never"
        self._lock = threading.Lock()
        self._wrapped: dict[int, _Methods] = {}
        library = ctypes.CDLL(_sqlite3.__file__)
        library.sqlite3_vfs_find.restype = ctypes.POINTER(_FileSystem)
        self._system = library.sqlite3_vfs_find(None).contents
        # A copy: the field itself is overwritten.
        self._open = _Open(ctypes.cast(self._system.open, ctypes.c_void_p).value or 0)
        self._opening = _Open(self._opened)
        self._system.open = self._opening

    def fail(self, at: int, how: How) -> None:
        """Let the `at`-th operation from now on go wrong; `"never"` ends that."""
        with self._lock:
            self.done, self.happened, self._at, self._how = [], False, at, how

    def _opened(self, system: int, name: bytes | None, file: int, flags: int, out: int | None) -> int:
        code = self._open(system, name, file, flags, out)
        methods = ctypes.cast(file, ctypes.POINTER(ctypes.c_void_p))
        if methods[0]:
            if methods[0] not in self._wrapped:
                self._wrapped[methods[0]] = self._wrap(ctypes.cast(methods[0], ctypes.POINTER(_Methods)).contents)
            methods[0] = ctypes.addressof(self._wrapped[methods[0]])
        return int(code)

    def _wrap(self, methods: _Methods) -> _Methods:
        wrapped = _Methods.from_buffer_copy(methods)

        def write(file: int, data: int, size: int, offset: int) -> int:
            return self._act(
                "write",
                lambda: methods.x_write(file, data, size, offset),
                lambda: methods.x_write(file, data, size // 2, offset),
            )

        wrapped.x_write = _Write(write)
        wrapped.x_truncate = _Truncate(lambda file, size: self._act("truncate", lambda: methods.x_truncate(file, size)))
        wrapped.x_sync = _OfInt(lambda file, how: self._act("sync", lambda: methods.x_sync(file, how)))
        wrapped.x_lock = _OfInt(lambda file, how: self._act("lock", lambda: methods.x_lock(file, how)))
        if methods.x_version >= 2:
            wrapped.x_map = _ShmMap(lambda *given: self._act("map", lambda: methods.x_map(*given)))

            def shared_lock(file: int, offset: int, count: int, flags: int) -> int:
                # To give a lock back cannot fail.
                if flags & _SHARED_UNLOCK:
                    return int(methods.x_shared_lock(file, offset, count, flags))
                return self._act("shared lock", lambda: methods.x_shared_lock(file, offset, count, flags))

            wrapped.x_shared_lock = _ShmLock(shared_lock)
        return wrapped

    def _act(self, name: str, act: Callable[[], int], half: Callable[[], Any] | None = None) -> int:
        with self._lock:
            number = len(self.done)
            self.done.append(name)
            how = self._how
            here = number == self._at or (how == "for good" and number > self._at >= 0)
            self.happened = self.happened or (here and how != "never")
        if not here or how == "never":
            return act()
        if how == "killed before":
            os.kill(os.getpid(), signal.SIGKILL)
        elif how == "killed after":
            act()
            os.kill(os.getpid(), signal.SIGKILL)
        elif how == "short write" and half:
            half()
        elif how == "full" and name == "write":
            return _FULL
        elif how == "full" and name in ("lock", "shared lock"):
            return _BUSY
        return _ERRORS[name]
