-- The tables of the log, as they are once all migrations were applied: for readers. Nothing runs this file; a test
-- holds that it equals what the migrations make.

-- One row per stream. Rows are never deleted: a stream is closed, and its name is free for a new one.
-- A stream can get another name; its hash chain goes on from the one that it began with, `begun_as` (NULL: it has that
-- still).
CREATE TABLE streams (
    stream_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    begun_as TEXT,
    closed INTEGER NOT NULL DEFAULT 0,
    parent_id INTEGER REFERENCES streams,
    parent_version INTEGER,
    created_at INTEGER NOT NULL,
    metadata TEXT NOT NULL DEFAULT '{}'
) STRICT;

CREATE UNIQUE INDEX streams_name ON streams (name) WHERE closed = 0;

-- The names that streams were closed under, or had before they got another one: who uses such a name begins anew.
CREATE TABLE former_names (
    name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- The log. There is one writer at a time, so the order of insertion is the order of commit and the position is the
-- feed's: rows are never deleted, so that no number is given twice, and a rolled back one is given again.
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    stream_id INTEGER NOT NULL REFERENCES streams,
    version INTEGER NOT NULL,
    topic TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    hash BLOB NOT NULL,
    payload BLOB NOT NULL,
    UNIQUE (stream_id, version)
) STRICT;

-- The ancestors that a fork reads through, each up to a version.
CREATE TABLE lineage (
    stream_id INTEGER NOT NULL REFERENCES streams,
    ancestor_id INTEGER NOT NULL REFERENCES streams,
    upto INTEGER NOT NULL,
    PRIMARY KEY (stream_id, ancestor_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX lineage_ancestor ON lineage (ancestor_id, upto);

-- Which append an idempotency key stands for.
CREATE TABLE idempotency (
    stream_id INTEGER NOT NULL REFERENCES streams,
    key TEXT NOT NULL,
    first_version INTEGER NOT NULL,
    last_version INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (stream_id, key)
) STRICT, WITHOUT ROWID;

-- How far each consumer of a feed has come.
CREATE TABLE tracking (
    consumer TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Snapshots of the eventsourcing library's aggregates. They are derived from the log and no part of it: they have the
-- versions of their aggregates, with gaps, take no place in the feed, and can be dropped and taken again.
CREATE TABLE aggregate_snapshots (
    purpose TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (purpose, name, version)
) STRICT;

-- Which migrations of which package were applied, each with the digest of its file.
CREATE TABLE eventstore_migrations (
    component TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    applied_at INTEGER NOT NULL,
    PRIMARY KEY (component, number)
) STRICT, WITHOUT ROWID;
