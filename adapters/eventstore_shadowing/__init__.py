"""A look at whose modules are found by the names of this distribution's packages.

It comes before they are imported, so it imports none of them.
"""

from eventstore_shadowing.shadowing import check

__all__ = ["check"]
