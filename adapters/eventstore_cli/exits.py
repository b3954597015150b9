"""With which code the command line ends, and why."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes. They are part of the interface: scripts go by them."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFLICT = 4
    UNAVAILABLE = 5
    SCHEMA = 6
    DAMAGED = 7
    DECLINED = 8
    INTERNAL = 70
    INTERRUPTED = 130
    BROKEN_PIPE = 141

    @property
    def meaning(self) -> str:
        """When the command line ends so."""
        return _MEANINGS[self]


_MEANINGS = {
    Exit.OK: "done",
    Exit.FINDINGS: (
        "damage; a store that is not well; values that cannot be made again; a replay or a thread of an import that "
        "failed; with --exit-code, something was found"
    ),
    Exit.USAGE: "the command cannot be carried out as given, or a name is ambiguous",
    Exit.NOT_FOUND: "no such thread, checkpoint, channel or item; nothing to undo",
    Exit.CONFLICT: "the thread moved on meanwhile, or the target exists; nothing was changed",
    Exit.UNAVAILABLE: "the store cannot be reached, is busy, full or read-only; a package is missing",
    Exit.SCHEMA: "not a store, or one that an older or newer version made: see eventstore migrate",
    Exit.DAMAGED: "what was asked for is damaged, erased, or of an unknown format",
    Exit.DECLINED: "not confirmed; nothing was changed",
    Exit.INTERNAL: "an error that nobody expected: --debug shows where",
    Exit.INTERRUPTED: "Ctrl-C",
    Exit.BROKEN_PIPE: "the reader of the output went away (| head)",
}


def exit_of(error: Exception) -> Exit:
    """The exit code that an error leads to."""
    from eventstore import errors  # noqa: PLC0415 (whoever is told the codes needs no store)

    # The first that fits: the narrower before the wider.
    codes: tuple[tuple[type[Exception], Exit], ...] = (
        (errors.NotFoundError, Exit.NOT_FOUND),
        (errors.ConflictError, Exit.CONFLICT),
        (errors.BadInputError, Exit.USAGE),
        (errors.SchemaError, Exit.SCHEMA),
        (errors.NotAStoreError, Exit.SCHEMA),
        (errors.StorageError, Exit.UNAVAILABLE),
        (errors.StoreClosedError, Exit.UNAVAILABLE),
        (errors.RecordedFailureError, Exit.UNAVAILABLE),
        (errors.CorruptionError, Exit.DAMAGED),
        (errors.TypeNotAllowedError, Exit.DAMAGED),
        (OSError, Exit.UNAVAILABLE),
    )
    return next((code for kind, code in codes if isinstance(error, kind)), Exit.INTERNAL)
