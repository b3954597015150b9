"""The look at whose modules are found, at the import of the saver: whatever it imports next would miss something."""

from __future__ import annotations

from eventstore_shadowing import check

check()
