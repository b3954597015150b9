-- Where each checkpoint of a thread is in the log: `version` of the stream `origin_id`, which is the thread's own, or,
-- after a fork was pruned, an ancestor's. `shown_from`, `retired_at` and `orphaned_at` are versions of the thread: since
-- when it has the row, since when it shows it no longer, and since when it shows its parent no longer. A fork shows what
-- its parent showed at the version where it was made: a checkpoint that is saved again therefore gets a new row.
CREATE TABLE checkpoints (
    stream_id INTEGER NOT NULL,
    namespace TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    shown_from INTEGER NOT NULL,
    origin_id INTEGER NOT NULL,
    parent_id TEXT,
    run_id TEXT,
    retired_at INTEGER,
    orphaned_at INTEGER,
    PRIMARY KEY (stream_id, namespace, checkpoint_id, shown_from)
) STRICT, WITHOUT ROWID;

CREATE INDEX checkpoints_run ON checkpoints (run_id) WHERE run_id IS NOT NULL;

-- Which events hold the pending writes of a checkpoint.
CREATE TABLE writes (
    stream_id INTEGER NOT NULL,
    namespace TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (stream_id, namespace, checkpoint_id, version)
) STRICT, WITHOUT ROWID;

-- Whose checkpoints a fork shows besides its own, each up to a version.
CREATE TABLE sources (
    stream_id INTEGER NOT NULL,
    source_id INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    PRIMARY KEY (stream_id, source_id)
) STRICT, WITHOUT ROWID;
