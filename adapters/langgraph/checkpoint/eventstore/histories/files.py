"""Files that are read whole and written whole: one that is there is never half of what it was to be."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copymode
from uuid import uuid4

from eventstore import BadInputError, NotFoundError, ReadOnlyError, StorageError, StorageFullError, UnavailableError
from eventstore.arguments import refused

PathLike = str | os.PathLike[str]


def read_whole(path: PathLike, longest: int) -> bytes:
    """Return the bytes of a file; of a longer one no more than one byte beyond `longest`.

    Raises:
        NotFoundError: There is no such file.
        BadInputError: It is a folder, or a device.
        UnavailableError: It cannot be read.
    """
    file = _file(path)
    with _translated(path, "read"):
        if not file.exists():
            raise NotFoundError(f"there is no file {os.fspath(path)!r}: record one by `eventstore record`")
        _check_plain(file, path)
        with file.open("rb") as opened:
            return opened.read(min(longest, file.stat().st_size) + 1)


def write_whole(path: PathLike, data: bytes) -> None:
    """Write a file, in place of what is there: all of it, or nothing is changed.

    Raises:
        BadInputError: It is a folder, or a device.
        NotFoundError: There is no such folder.
        StorageError: It cannot be written: there is no room, or no permission.
    """
    file = _file(path)
    with _translated(path, "written"):
        file = file.resolve()  # where a link leads to: the link stays
        if file.exists():
            _check_plain(file, path)
        if not file.parent.is_dir():
            raise NotFoundError(f"there is no folder {os.fspath(file.parent)!r} for {os.fspath(path)!r}: make it first")
        draft = file.with_name(f".{uuid4().hex}.draft")
        try:
            with draft.open("xb") as opened:
                opened.write(data)
                opened.flush()
                # Else a machine that stops may keep the new name and lose what it names.
                os.fsync(opened.fileno())
            if file.exists():
                copymode(file, draft)
            draft.replace(file)
        except BaseException:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise


def _file(path: PathLike) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise refused("path", path, "pass the path of a file")
    if not os.fspath(path) or "\0" in os.fspath(path):
        raise BadInputError(f"path is {os.fspath(path)!r}, which no file can be called")
    return Path(path)


def _check_plain(file: Path, path: PathLike) -> None:
    if not file.is_file():
        what = "a folder" if file.is_dir() else "a device"
        raise BadInputError(f"{os.fspath(path)!r} is {what}: name a file")


@contextmanager
def _translated(path: PathLike, done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = f"{os.fspath(path)!r} cannot be {done}: {error.strerror}"
        raise _error(error, why, done) from error


def _error(error: OSError, why: str, done: str) -> StorageError | BadInputError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageFullError(f"{why}. Make room, or name a file elsewhere; what was there is as it was")
    if error.errno in (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR):
        return BadInputError(f"{why}: name another file")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and done == "written":
        return ReadOnlyError(f"{why}. Name a file elsewhere, or see to the permissions of its folder")
    return UnavailableError(f"{why}. See to its permissions and its disk")
