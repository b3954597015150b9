"""Recovery of a thread: the checkpoints it can go on from, and the check that it is sound.

- `points`: checkpoints that can be resumed, and threads that stopped.
- `expecting`: the rows that a thread should show, by its log alone.
- `checking`: a thread's log, rows and values, held against each other.
- `report`: the findings of a check.
"""
