-- Where each checkpoint of a thread is in the log. `origin_id` is the stream that holds the event: the thread's own,
-- or, after a fork was pruned, an ancestor's. A retired row is no longer shown by its own thread, but by forks from
-- before that version, and by DeltaChannels that replay through it. An orphaned row's parent is shown no longer, again
-- but by forks from before that version.
CREATE TABLE checkpoints (
    stream_id INTEGER NOT NULL,
    namespace TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    origin_id INTEGER NOT NULL,
    parent_id TEXT,
    run_id TEXT,
    retired_at INTEGER,
    orphaned_at INTEGER,
    PRIMARY KEY (stream_id, namespace, checkpoint_id)
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
