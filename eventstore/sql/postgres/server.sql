-- What only a server has.

-- name: migrations_exist
SELECT to_regclass(:qualified_name) IS NOT NULL;

-- name: schemas_with
-- The schemas that have all of some tables.
SELECT n.nspname::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = ANY (:tables::text[]) AND c.relkind IN ('r', 'p')
GROUP BY 1 HAVING count(*) = cardinality(:tables::text[])
ORDER BY 1;

-- name: lock_schema
-- One opener at a time migrates. The lock goes with the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('eventstore schema ' || :schema_name::text, 0));

-- name: create_schema
CREATE SCHEMA IF NOT EXISTS {schema};

-- name: lock_empty_stream
-- First appends to one stream take turns, since they need not have the same version, on which the primary key would stop
-- the second. A statement of its own: the next one sees what was committed while this one waited.
SELECT stream_id FROM {schema}.streams WHERE stream_id = :stream_id FOR NO KEY UPDATE;

-- name: append_more
-- Rows that follow one that the same transaction has just stored, in one statement.
INSERT INTO {schema}.events (stream_id, version, topic, recorded_at, hash, payload)
SELECT :stream_id::bigint, more.*
FROM unnest(:versions::bigint[], :topics::text[], :times::bigint[], :hashes::bytea[], :payloads::bytea[]) AS more;

-- name: feed_state
-- How far the feed goes, and whether there are events that could get their numbers now (see `number_events`).
WITH snapshot AS MATERIALIZED (
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS ended,
           pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS to_come
), state AS MATERIALIZED (
    SELECT position, ended, to_come,
           CASE WHEN xid > to_come THEN 0 ELSE xid END AS since,
           CASE WHEN xid > to_come THEN 0 ELSE restored_xid END AS restored_since
    FROM {schema}.sequencer, snapshot
)
SELECT position, EXISTS (
    SELECT 1 FROM {schema}.events e
    WHERE e.xid >= state.since AND e.xid < state.ended
        AND NOT EXISTS (
            SELECT 1 FROM {schema}.feed f WHERE f.stream_id = e.stream_id AND f.version = e.version OFFSET 0
        )
) OR EXISTS (
    SELECT 1 FROM {schema}.events e
    WHERE e.xid BETWEEN greatest(state.to_come, state.restored_since) AND 9223372036854775807
        AND NOT EXISTS (
            SELECT 1 FROM {schema}.feed f WHERE f.stream_id = e.stream_id AND f.version = e.version OFFSET 0
        )
)
FROM state;

-- name: take_turn
-- Sequencers take turns on this row; writers never touch it. An id from the future is another cluster's, from which this
-- one was restored: then everything is looked at once more.
SELECT position,
       CASE WHEN xid > pg_snapshot_xmax(pg_current_snapshot())::text::bigint THEN 0 ELSE xid END,
       CASE WHEN xid > pg_snapshot_xmax(pg_current_snapshot())::text::bigint THEN 0 ELSE restored_xid END
FROM {schema}.sequencer FOR UPDATE;

-- name: number_events
-- Gives the next numbers to committed events, in the order (transaction, time, stream, version). Only those below
-- the snapshot's xmin: all of them have ended, so none can come later with a smaller id and be skipped. Events with an
-- id at or above xmax are older than this cluster (a dump was restored into a new one, which counts from the
-- beginning): their transactions ended long ago, too, and they come first. What has a number is passed over, so nothing
-- is numbered twice.
-- What this reads is new, however long the log is, if the planner sees that: OFFSET 0 keeps it from a join with the
-- whole feed, and an upper bound lets it expect few events, where it would expect a third of all.
WITH snapshot AS MATERIALIZED (
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS ended,
           pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS to_come
), fresh AS MATERIALIZED (
    SELECT true AS native, e.xid, e.recorded_at, e.stream_id, e.version
    FROM {schema}.events e, snapshot
    WHERE e.xid >= :since::bigint AND e.xid < snapshot.ended
        AND NOT EXISTS (
            SELECT 1 FROM {schema}.feed f WHERE f.stream_id = e.stream_id AND f.version = e.version OFFSET 0
        )
    UNION ALL
    SELECT false, e.xid, e.recorded_at, e.stream_id, e.version
    FROM {schema}.events e, snapshot
    WHERE e.xid BETWEEN greatest(snapshot.to_come, :restored_since::bigint) AND 9223372036854775807
        AND NOT EXISTS (
            SELECT 1 FROM {schema}.feed f WHERE f.stream_id = e.stream_id AND f.version = e.version OFFSET 0
        )
    ORDER BY native, xid, recorded_at, stream_id, version
    LIMIT :limit
), numbered AS (
    INSERT INTO {schema}.feed (position, stream_id, version)
    SELECT
        :last_position::bigint + row_number() OVER (ORDER BY native, xid, recorded_at, stream_id, version),
        stream_id,
        version
    FROM fresh
    RETURNING position
)
SELECT
    (SELECT count(*) FROM numbered),
    coalesce((SELECT max(xid) FROM fresh WHERE native), :since::bigint),
    coalesce((SELECT max(xid) FROM fresh WHERE NOT native), :restored_since::bigint),
    snapshot.ended
FROM snapshot;

-- name: end_turn
UPDATE {schema}.sequencer SET position = :last_position, xid = :since, restored_xid = :restored_since;

-- name: notify
-- Wakes subscribers in other processes, if there are any: each holds the advisory lock while it listens.
SELECT pg_notify(:channel, '') FROM pg_locks
WHERE locktype = 'advisory' AND classid = :class_id AND objid = :object_id
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
LIMIT 1;

-- name: hold_listener_lock
SELECT pg_advisory_lock_shared(:class_id, :object_id);
