"""The past of a thread, from the changes that each checkpoint recorded.

- `channels`: the places of the channels' values, and the channels that were written between two checkpoints.
- `steps`: the tasks whose writes a checkpoint applied.
- `entries`: the entries of a timeline.
- `comparison`: how two checkpoints differ.
- `generations`: the values that a channel had, back to where a part of it came from.
- `rules`: how a value is made of writes, by a graph or by the shape of the writes.
- `replayed`: the values of channels of which only the writes are stored.
- `provenance`: the write that put each part of such a value there.
- `attribution`: the task that wrote a part of a value.
- `blame`: the origin of each part of a channel's value.
"""
