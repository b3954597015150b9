"""Channel values: how they are taken apart, recorded as changes, and put together again. Pure functions, no database.

- `change`: one recorded change, and the encodings in it.
- `kinds`: the types that are recorded part by part, and their parts.
- `parts`: sequences of parts, and how one is made of another by copying and inserting.
- `fingerprints`: tell whether a part is still as it was recorded, without asking the part.
- `copiers`: copies of values that are given away more than once.
- `merging`: changes are merged into segments of several levels, so that a value is read from a few rows of each.
- `value`: a recorded value as it is kept while its thread is live, and the step from one to the next.
- `live`: those values, within a budget of bytes.
"""
