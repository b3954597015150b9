"""What a thread can go on from, and whether it is sound.

- `points`: what is told of checkpoints that can be resumed, and of threads that stopped.
- `expecting`: what a thread should show, by its log alone.
- `checking`: a thread's log, rows and values, held against each other.
- `report`: what a check has found.
"""
