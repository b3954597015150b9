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
-- a number made from that: see `projections.auditing.terms`.
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

-- How far the extract goes: one row. The era grows when all is dropped, so that who reads in several steps knows.
CREATE TABLE audit_state (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    position INTEGER NOT NULL,
    era INTEGER NOT NULL
) STRICT;

INSERT INTO audit_state (only_row, position, era) VALUES (1, 0, 0);

-- Threads that were deleted are found by their names, too.
CREATE INDEX streams_closed ON streams (name) WHERE closed = 1;

-- The same for people: see docs/audit.md.
CREATE VIEW audit_log AS
SELECT
    a.position,
    s.name AS thread,
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
