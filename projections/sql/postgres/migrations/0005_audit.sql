-- What happened, event by event: an extract of the log, made from the feed when somebody asks. Of an event whose content
-- was erased only the first columns are left. All of it can be dropped, and made again from the log.
CREATE TABLE {schema}.audit (
    position bigint PRIMARY KEY,
    stream_id bigint NOT NULL,
    version bigint NOT NULL,
    topic text COLLATE "C" NOT NULL,
    recorded_at bigint NOT NULL,
    size bigint NOT NULL,
    erased boolean NOT NULL,
    namespace text NOT NULL,
    checkpoint_id text,
    run_id text,
    node text,
    task_id text,
    channels text[] NOT NULL,
    metadata json NOT NULL
);

-- By what an event is found: its thread, topic, run and node, each of its channels, each value of its metadata. A term is
-- a number made from that: see `projections.auditing.terms`.
CREATE TABLE {schema}.audit_terms (
    term bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (term, position)
);

-- The earliest and the latest time in each span of positions: clocks differ, so that times do not quite follow the feed.
CREATE TABLE {schema}.audit_spans (
    span bigint PRIMARY KEY,
    earliest bigint NOT NULL,
    latest bigint NOT NULL
);

CREATE INDEX audit_spans_earliest ON {schema}.audit_spans (earliest, span);

CREATE INDEX audit_spans_latest ON {schema}.audit_spans (latest, span);

-- How far the extract goes: one row, and the lock by which those who catch up take turns. The era grows when all is
-- dropped, so that who reads in several steps knows.
CREATE TABLE {schema}.audit_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL,
    era bigint NOT NULL
);

INSERT INTO {schema}.audit_state (position, era) VALUES (0, 0);

-- Threads that were deleted are found by their names, too.
CREATE INDEX streams_closed ON {schema}.streams (name) WHERE closed;

-- The same for people: see docs/audit.md.
CREATE VIEW {schema}.audit_log AS
SELECT
    a.position,
    s.name AS thread,
    a.version,
    a.topic,
    timestamptz 'epoch' + a.recorded_at * interval '1 microsecond' AS recorded_at,
    a.namespace,
    a.checkpoint_id AS checkpoint,
    a.run_id AS run,
    a.node,
    a.task_id AS task,
    a.channels,
    a.metadata::jsonb AS metadata,
    a.size,
    a.erased
FROM {schema}.audit a JOIN {schema}.streams s ON s.stream_id = a.stream_id;
