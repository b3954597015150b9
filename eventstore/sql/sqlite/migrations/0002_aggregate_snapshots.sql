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
