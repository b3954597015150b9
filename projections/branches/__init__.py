"""Branches: the tree of a thread and its forks, and moving a thread from one branch to another."""
