"""Pruning and deleting: what is to be forgotten, and what is still needed."""
