"""A store as people look at it: opened as it is, its checkpoints by short names, values without their types, JSON.

The command line shows it in a terminal. Nothing here knows of one.
"""

from eventstore_views.session import SERIALIZER, Session, existing, opened
from eventstore_views.showing import Sealed, Showing

__all__ = ["SERIALIZER", "Sealed", "Session", "Showing", "existing", "opened"]
