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
