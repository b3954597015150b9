-- The tables of this package, as they are once all migrations were applied: for readers. They stand beside those of the
-- log. Nothing runs this file; a test holds that it equals what the migrations make.

-- Where each checkpoint of a thread is in the log: `version` of the stream `origin_id`, which is the thread's own, or,
-- after a fork was pruned, an ancestor's. The row stands on a branch of the thread. `shown_from`, `retired_at` and
-- `orphaned_at` are versions of the thread: since when the branch has the row, since when it shows it no longer, and
-- since when it shows its parent no longer. A fork shows what its parent showed at the version where it was made: a
-- checkpoint that is saved again therefore gets a new row.
CREATE TABLE checkpoints (
    branch_id INTEGER NOT NULL,
    namespace TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    shown_from INTEGER NOT NULL,
    origin_id INTEGER NOT NULL,
    parent_id TEXT,
    run_id TEXT,
    retired_at INTEGER,
    orphaned_at INTEGER,
    PRIMARY KEY (branch_id, namespace, checkpoint_id, shown_from)
) STRICT, WITHOUT ROWID;

CREATE INDEX checkpoints_run ON checkpoints (run_id) WHERE run_id IS NOT NULL;

-- The order in which the checkpoints of all threads are listed. Ids grow with time, so that new ones come at its end.
CREATE INDEX checkpoints_listed ON checkpoints (checkpoint_id, namespace, branch_id, shown_from);

-- Which events hold the pending writes of a checkpoint.
CREATE TABLE writes (
    branch_id INTEGER NOT NULL,
    namespace TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (branch_id, namespace, checkpoint_id, version)
) STRICT, WITHOUT ROWID;

-- The branches of threads. A thread is on one of them, and a rollback puts it on a new one, which shows what the old one
-- showed at a version, as a fork shows its parent; what came later stays on the old one. `since` is the version of the
-- event that began a branch (0: the first, which each stream has), `left_at` that of the event by which the thread left
-- it (NULL: it is on it).
CREATE TABLE branches (
    branch_id INTEGER PRIMARY KEY,
    stream_id INTEGER NOT NULL,
    since INTEGER NOT NULL,
    left_at INTEGER
) STRICT;

CREATE UNIQUE INDEX branches_since ON branches (stream_id, since);

CREATE UNIQUE INDEX branches_current ON branches (stream_id) WHERE left_at IS NULL;

CREATE TRIGGER streams_first_branch AFTER INSERT ON streams
BEGIN INSERT INTO branches (stream_id, since) VALUES (NEW.stream_id, 0); END;

-- What a branch goes on from: it shows the rows of `source_id`, too, up to the version `upto`, and, where it goes on from
-- a checkpoint, only ids up to `last_id`, in all namespaces. (What tasks wrote there, and what subgraphs that they called
-- saved, is taken over as far as it stays.) `cut_at`: since which version it goes on from it no longer, as it was pruned.
CREATE TABLE sources (
    branch_id INTEGER NOT NULL,
    source_id INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    cut_at INTEGER,
    last_id TEXT,
    PRIMARY KEY (branch_id, source_id)
) STRICT, WITHOUT ROWID;

-- The branches that go on from one, each up to a version; with all that a listing asks of them.
CREATE INDEX sources_source ON sources (source_id, branch_id, upto, last_id) WHERE cut_at IS NULL;

-- The events that changed what a thread shows: those that moved it to another branch (`branch_since`, from `left_since`;
-- `undoes`: the event that was undone by it), and its prunes and deletions.
CREATE TABLE reflog (
    stream_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    topic TEXT NOT NULL,
    left_since INTEGER,
    branch_since INTEGER,
    undoes INTEGER,
    PRIMARY KEY (stream_id, version)
) STRICT, WITHOUT ROWID;

-- Changes of a channel's value merged into larger ones, so that a value of many updates is read from few rows: see
-- `projections.values.merging`. A row leads to the value that the event at `version` holds. All of it can be dropped, and
-- made again from the log.
CREATE TABLE segments (
    stream_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    channel BLOB NOT NULL,
    level INTEGER NOT NULL,
    change BLOB NOT NULL,
    PRIMARY KEY (stream_id, version, channel, level)
) STRICT;

-- What happened, event by event: an extract of the log, made from the feed when somebody asks. Of an event whose content
-- was erased only the first columns are left. All of it can be dropped, and made again from the log.
CREATE TABLE audit (
    position INTEGER PRIMARY KEY,
    stream_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    topic TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    size INTEGER NOT NULL,
    erased INTEGER NOT NULL,
    namespace TEXT NOT NULL,
    checkpoint_id TEXT,
    run_id TEXT,
    node TEXT,
    task_id TEXT,
    channels TEXT NOT NULL,
    metadata TEXT NOT NULL
) STRICT;

-- By what an event is found: its thread, topic, run and node, each of its channels, each value of its metadata. A term is
-- a number made from that: see `projections.audit.terms`.
CREATE TABLE audit_terms (
    term INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (term, position)
) STRICT, WITHOUT ROWID;

-- The earliest and the latest time in each span of positions: clocks differ, so that times do not quite follow the feed.
CREATE TABLE audit_spans (
    span INTEGER PRIMARY KEY,
    earliest INTEGER NOT NULL,
    latest INTEGER NOT NULL
) STRICT;

CREATE INDEX audit_spans_earliest ON audit_spans (earliest, span);

CREATE INDEX audit_spans_latest ON audit_spans (latest, span);

-- What threads were called before they were renamed by a promotion: up to that event's version.
CREATE TABLE audit_names (
    stream_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (stream_id, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_names_name ON audit_names (name, stream_id);

-- The messages of models that events hold, as often as they hold them, and what they say that they took: see
-- `projections.usage`. The best sighting of a spending, by rank, counts. Made from the feed when somebody asks; all of it
-- can be dropped, and made again from the log.
CREATE TABLE usage_seen (
    position INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    stream_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    spending INTEGER NOT NULL,
    look INTEGER NOT NULL,
    step INTEGER NOT NULL,
    task INTEGER NOT NULL,
    caller INTEGER NOT NULL,
    bare INTEGER NOT NULL,
    model TEXT,
    input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    cache_written INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    PRIMARY KEY (position, ordinal)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_seen_stream ON usage_seen (stream_id, position, ordinal);

CREATE INDEX usage_seen_spending ON usage_seen (spending, stream_id, rank, position, ordinal);

CREATE INDEX usage_seen_look ON usage_seen (look);

-- Messages without an id, which are few.
CREATE INDEX usage_seen_bare ON usage_seen (look) WHERE bare = 1;

-- How far projections have followed the feed, by their names. The epoch grows when all rows of one are dropped, so that
-- who reads in several steps knows.
CREATE TABLE progress (
    projection TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    epoch INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO progress (projection, position, epoch) VALUES ('audit', 0, 0);

-- Threads that were deleted are found by their names, too.
CREATE INDEX streams_closed ON streams (name) WHERE closed = 1;

-- The same for people: see docs/audit.md.
CREATE VIEW audit_log AS
SELECT
    a.position,
    coalesce((
        SELECT n.name FROM audit_names n
        WHERE n.stream_id = a.stream_id AND n.version >= a.version ORDER BY n.version LIMIT 1
    ), s.name) AS thread,
    a.version,
    a.topic,
    strftime('%Y-%m-%dT%H:%M:%S', a.recorded_at / 1000000, 'unixepoch')
        || printf('.%06dZ', a.recorded_at % 1000000) AS recorded_at,
    a.namespace,
    a.checkpoint_id AS checkpoint,
    a.run_id AS run,
    a.node,
    a.task_id AS task,
    a.channels,
    a.metadata,
    a.size,
    a.erased
FROM audit a JOIN streams s ON s.stream_id = a.stream_id;
