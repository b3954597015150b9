-- One row per stream. Rows are never deleted: a stream is closed, and its name is free for a new one.
-- A stream can get another name; its hash chain goes on from the one that it began with, `begun_as` (NULL: it has that
-- still).
-- Names sort and compare by their bytes, whatever the database's locale.
CREATE TABLE {schema}.streams (
    stream_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    begun_as text COLLATE "C",
    closed boolean NOT NULL DEFAULT false,
    parent_id bigint REFERENCES {schema}.streams,
    parent_version bigint,
    created_at bigint NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}'
);

CREATE UNIQUE INDEX streams_name ON {schema}.streams (name) WHERE NOT closed;

CREATE INDEX streams_metadata ON {schema}.streams USING gin (metadata jsonb_path_ops);

-- The names that streams were closed under, or had before they got another one: who uses such a name begins anew.
CREATE TABLE {schema}.former_names (
    name text COLLATE "C" PRIMARY KEY
);

-- The log. The primary key is what makes appends conditional: two writers cannot both store a version.
-- No foreign key to streams: its check would lock the stream's row at each append, and streams are never deleted.
CREATE TABLE {schema}.events (
    stream_id bigint NOT NULL,
    version bigint NOT NULL,
    xid bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
    recorded_at bigint NOT NULL,
    topic text COLLATE "C" NOT NULL,
    hash bytea NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (stream_id, version)
);

-- Payloads are compressed already.
ALTER TABLE {schema}.events ALTER COLUMN payload SET STORAGE EXTERNAL;

-- For the sequencer, which asks for the newest transactions: they stand together at the table's end, so a summary of
-- page ranges finds them, at next to no cost for writers.
CREATE INDEX events_xid ON {schema}.events USING brin (xid) WITH (pages_per_range = 16, autosummarize = on);

-- The feed's order. Events get their number when somebody reads the feed, so that writers never wait for each other.
CREATE TABLE {schema}.feed (
    position bigint PRIMARY KEY,
    stream_id bigint NOT NULL,
    version bigint NOT NULL,
    UNIQUE (stream_id, version)
);

-- How far the sequencer has come: one row, and the lock by which sequencers take turns. Everything before the
-- transaction `xid` has its number; and of what another cluster wrote, before `restored_xid` (see `number_events`).
CREATE TABLE {schema}.sequencer (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL,
    xid bigint NOT NULL,
    restored_xid bigint NOT NULL
);

INSERT INTO {schema}.sequencer (position, xid, restored_xid) VALUES (0, 0, 0);

-- The ancestors that a fork reads through, each up to a version.
CREATE TABLE {schema}.lineage (
    stream_id bigint NOT NULL REFERENCES {schema}.streams,
    ancestor_id bigint NOT NULL REFERENCES {schema}.streams,
    upto bigint NOT NULL,
    PRIMARY KEY (stream_id, ancestor_id)
);

CREATE INDEX lineage_ancestor ON {schema}.lineage (ancestor_id, upto);

-- Which append an idempotency key stands for.
CREATE TABLE {schema}.idempotency (
    stream_id bigint NOT NULL REFERENCES {schema}.streams,
    key text COLLATE "C" NOT NULL,
    first_version bigint NOT NULL,
    last_version bigint NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (stream_id, key)
);

-- How far each consumer of a feed has come.
CREATE TABLE {schema}.tracking (
    consumer text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL
);

-- Snapshots of the eventsourcing library's aggregates. They are derived from the log and no part of it: they have the
-- versions of their aggregates, with gaps, take no place in the feed, and can be dropped and taken again.
CREATE TABLE {schema}.aggregate_snapshots (
    purpose text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    topic text COLLATE "C" NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (purpose, name, version)
);

ALTER TABLE {schema}.aggregate_snapshots ALTER COLUMN payload SET STORAGE EXTERNAL;
