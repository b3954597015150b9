-- Where each checkpoint of a thread is in the log: `version` of the stream `origin_id`, which is the thread's own, or,
-- after a fork was pruned, an ancestor's. `shown_from`, `retired_at` and `orphaned_at` are versions of the thread: since
-- when it has the row, since when it shows it no longer, and since when it shows its parent no longer. A fork shows what
-- its parent showed at the version where it was made: a checkpoint that is saved again therefore gets a new row.
CREATE TABLE {schema}.checkpoints (
    stream_id bigint NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    checkpoint_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    shown_from bigint NOT NULL,
    origin_id bigint NOT NULL,
    parent_id text COLLATE "C",
    run_id text COLLATE "C",
    retired_at bigint,
    orphaned_at bigint,
    PRIMARY KEY (stream_id, namespace, checkpoint_id, shown_from)
);

CREATE INDEX checkpoints_run ON {schema}.checkpoints (run_id) WHERE run_id IS NOT NULL;

-- Which events hold the pending writes of a checkpoint.
CREATE TABLE {schema}.writes (
    stream_id bigint NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    checkpoint_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (stream_id, namespace, checkpoint_id, version)
);

-- Whose checkpoints a fork shows besides its own, each up to a version.
CREATE TABLE {schema}.sources (
    stream_id bigint NOT NULL,
    source_id bigint NOT NULL,
    upto bigint NOT NULL,
    PRIMARY KEY (stream_id, source_id)
);
