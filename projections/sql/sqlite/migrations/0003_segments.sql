-- Changes of a channel's value merged into larger ones, so that a value of many updates is read from few rows: see
-- `projections.values.ladder`. A row leads to the value that the event at `version` holds. All of it can be dropped, and
-- made again from the log.
CREATE TABLE segments (
    stream_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    channel BLOB NOT NULL,
    level INTEGER NOT NULL,
    change BLOB NOT NULL,
    PRIMARY KEY (stream_id, version, channel, level)
) STRICT;
