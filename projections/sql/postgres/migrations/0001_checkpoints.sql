-- Where each checkpoint of a thread is in the log. `origin_id` is the stream that holds the event: the thread's own,
-- or, after a fork was pruned, an ancestor's. A retired row is no longer shown by its own thread, but by forks from
-- before that version, and by DeltaChannels that replay through it. An orphaned row's parent is shown no longer, again
-- but by forks from before that version.
CREATE TABLE {schema}.checkpoints (
    stream_id bigint NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    checkpoint_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    origin_id bigint NOT NULL,
    parent_id text COLLATE "C",
    run_id text COLLATE "C",
    retired_at bigint,
    orphaned_at bigint,
    PRIMARY KEY (stream_id, namespace, checkpoint_id)
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
