-- What only a server has.

-- name: migrations_exist
SELECT to_regclass(:qualified_name) IS NOT NULL;

-- name: lock_schema
-- One opener at a time migrates. The lock goes with the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('eventstore schema ' || :schema_name::text, 0));

-- name: create_schema
CREATE SCHEMA IF NOT EXISTS {schema};

-- name: take_turn
-- Sequencers take turns on this row; writers never touch it. An id from the future is another cluster's, from which this
-- one was restored: then everything is looked at once more.
SELECT position, CASE WHEN xid > pg_snapshot_xmax(pg_current_snapshot())::text::bigint THEN 0 ELSE xid END
FROM {schema}.sequencer FOR UPDATE;

-- name: number_events
-- Gives the next numbers to committed events, in the order (transaction, time, stream, version). Only those below
-- the snapshot's xmin: all of them have ended, so none can come later with a smaller id and be skipped. Events with an
-- id at or above xmax are older than this cluster (a dump was restored into a new one, which counts from the
-- beginning): their transactions ended long ago, too. What has a number is passed over, so nothing is numbered twice.
WITH bounds AS MATERIALIZED (
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xmin,
           pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xmax
), fresh AS MATERIALIZED (
    SELECT e.stream_id, e.version, e.xid, e.recorded_at
    FROM {schema}.events e, bounds
    WHERE e.xid >= :since::bigint AND (e.xid < bounds.xmin OR e.xid >= bounds.xmax)
        AND NOT EXISTS (
            SELECT 1 FROM {schema}.feed f WHERE f.stream_id = e.stream_id AND f.version = e.version
        )
    ORDER BY e.xid, e.recorded_at, e.stream_id, e.version
    LIMIT :limit
), numbered AS (
    INSERT INTO {schema}.feed (position, stream_id, version)
    SELECT
        :last_position::bigint + row_number() OVER (ORDER BY xid, recorded_at, stream_id, version), stream_id, version
    FROM fresh
    RETURNING position
)
SELECT (SELECT count(*) FROM numbered), (SELECT max(xid) FROM fresh), bounds.xmin FROM bounds;

-- name: end_turn
UPDATE {schema}.sequencer SET position = :last_position, xid = :since;

-- name: notify
-- Wakes subscribers in other processes, if there are any: each holds the advisory lock while it listens.
SELECT pg_notify(:channel, '') FROM pg_locks
WHERE locktype = 'advisory' AND classid = :class_id AND objid = :object_id
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
LIMIT 1;

-- name: hold_listener_lock
SELECT pg_advisory_lock_shared(:class_id, :object_id);
