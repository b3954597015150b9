"""Selective replay: a recorded run once more with a changed node, of which only what depends on it runs again."""
