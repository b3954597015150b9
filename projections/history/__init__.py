"""What is told of a thread's past, from what each checkpoint recorded as changed.

- `channels`: where checkpoints have their channels' values, and what was written between two of them.
- `steps`: the tasks whose writes a checkpoint applied.
- `entries`: what a timeline says of a checkpoint.
- `comparison`: how two checkpoints differ.
- `generations`: the values that a channel had, back to where a part of it came from.
- `rules`: how a value is made of writes, by a graph or by what the shape of the writes tells.
- `replayed`: the values of channels of which only the writes are stored.
- `provenance`: which write put each part of such a value there.
- `attribution`: which task wrote a part of a value.
- `blame`: where what a channel holds comes from.
"""
