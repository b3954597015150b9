"""Channel values: how they are taken apart, recorded as changes, and put together again. Pure functions, no database.

- `change`: one recorded change, and the encodings in it.
- `kinds`: which values are recorded part by part, and what their parts are.
- `parts`: sequences of parts, and how one is made of another by copying and inserting.
- `marks`: what tells whether a part is still what was recorded, without asking the part.
- `molds`: copies of values that are given away more than once.
- `ladder`: which earlier changes a value is read from: a few of each rung, whatever the number of updates.
- `value`: a recorded value as it is kept while its thread is live, and the step from one to the next.
- `live`: those values, within a budget of bytes.
"""
