-- Changes of a channel's value merged into larger ones, so that a value of many updates is read from few rows: see
-- `projections.values.ladder`. A row leads to the value that the event at `version` holds. All of it can be dropped, and
-- made again from the log.
CREATE TABLE {schema}.segments (
    stream_id bigint NOT NULL,
    version bigint NOT NULL,
    channel bytea NOT NULL,
    level smallint NOT NULL,
    change bytea NOT NULL,
    PRIMARY KEY (stream_id, version, channel, level)
);

-- The bytes are compressed already.
ALTER TABLE {schema}.segments ALTER COLUMN change SET STORAGE EXTERNAL;
