"""The caller of a command: which store they mean, and who they are."""

from __future__ import annotations

import getpass
import os

from eventstore import BadInputError, Cause


def named(url: str | None) -> str:
    """The address that was given.

    Raises:
        BadInputError: None was given.
    """
    if not url:
        raise BadInputError(
            "which store? Name it by --store sqlite:///agents.db (or postgresql://…), or by EVENTSTORE_URL"
        )
    return url


def cause(command: str, reason: str | None = None) -> Cause:
    """Return the cause of a command's events: the user, the command, and why, if that is said."""
    why = {} if reason is None else {"reason": reason}
    return Cause(metadata={**_user(), "via": f"eventstore {command}", **why})


def _user() -> dict[str, str]:
    try:
        return {"by": getpass.getuser()}
    except (OSError, KeyError, ImportError):  # a user without a name, in a container for one
        return {"by": f"uid {os.getuid()}"} if hasattr(os, "getuid") else {}
