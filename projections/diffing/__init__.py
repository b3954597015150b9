"""How two values differ: found by content, part by part, as data and as lines to read. Pure functions, no database.

- `content`: what a value consists of, and whether two are the same, without asking them.
- `alignment`: which of the elements of two sequences correspond.
- `texts`: how two texts differ, by lines or by words.
- `difference`: how two values of any kind differ, as a tree.
- `plain`: values as JSON can hold them.
- `glance`: a value on one line.
- `rendering`: a difference as lines, each with a sign.
- `summary`: a difference in a few words.
- `tracing`: what stood at a place of a value before it became another.
"""
