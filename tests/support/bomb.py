"""Whoever imports this has been talked into it by what was stored."""

raise AssertionError("this module must not be imported")
