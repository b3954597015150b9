-- name: stream_by_name
SELECT stream_id FROM {schema}.streams WHERE name = :name AND NOT closed;

-- name: create_stream
INSERT INTO {schema}.streams (name, parent_id, parent_version, created_at, metadata)
VALUES (:name, :parent_id, :parent_version, :created_at, :metadata::jsonb)
ON CONFLICT (name) WHERE NOT closed DO NOTHING
RETURNING stream_id;

-- name: take_empty_stream
-- A stream whose first append failed has nothing but its name: a fork may take it over.
UPDATE {schema}.streams SET
    parent_id = :parent_id, parent_version = :parent_version, created_at = :created_at, metadata = :metadata::jsonb
WHERE name = :name AND NOT closed
    AND (SELECT max(version) FROM {schema}.events e WHERE e.stream_id = streams.stream_id) IS NULL
RETURNING stream_id;

-- name: describe_stream
-- Part of the statement that appends a stream's first event, of which `appended` is the result.
UPDATE {schema}.streams SET metadata = :metadata::jsonb FROM appended WHERE stream_id = :stream_id;

-- name: stream_head
-- The stream that has the name now, and its last own event, if it has one.
SELECT s.stream_id, e.version, e.hash
FROM {schema}.streams s
LEFT JOIN {schema}.events e ON e.stream_id = s.stream_id
    AND e.version = (SELECT max(version) FROM {schema}.events WHERE stream_id = s.stream_id)
WHERE s.name = :name AND NOT s.closed;

-- name: close_stream
UPDATE {schema}.streams SET closed = true WHERE stream_id = :stream_id;

-- name: rename_stream
UPDATE {schema}.streams SET name = :new_name, begun_as = coalesce(begun_as, name)
WHERE name = :name AND NOT closed;

-- name: append_event
-- Stores nothing unless the predecessor is the one that the writer saw, to the last bit of its hash. A writer that
-- comes second waits for the first on the primary key, and then stores nothing. The transaction id is given to the
-- row after the predecessor was seen committed, so that a stream's order and the feed's agree.
INSERT INTO {schema}.events (stream_id, version, topic, recorded_at, hash, payload)
SELECT :stream_id::bigint, :version::bigint, :topic::text, :recorded_at::bigint, :hash::bytea, :payload::bytea
WHERE EXISTS (
    SELECT 1 FROM {schema}.events
    WHERE stream_id = :stream_id::bigint AND version = :version::bigint - 1 AND hash = :previous::bytea
)
ON CONFLICT (stream_id, version) DO NOTHING;

-- name: append_first_event
-- The first own event of a stream has no predecessor in it; that it is the first is what has to be checked. The stream
-- is locked by then (see `lock_empty_stream`), or nobody else knows it yet. It asks for the greatest version, since that
-- is always looked up in the index; for whether there is any, the planner may read the whole log.
INSERT INTO {schema}.events (stream_id, version, topic, recorded_at, hash, payload)
SELECT :stream_id::bigint, :version::bigint, :topic::text, :recorded_at::bigint, :hash::bytea, :payload::bytea
WHERE (SELECT max(version) FROM {schema}.events WHERE stream_id = :stream_id::bigint) IS NULL
ON CONFLICT (stream_id, version) DO NOTHING;

-- name: pinned_upto
-- Up to which version a stream's events are needed by living forks; of one of them it may be said that it does not count.
SELECT coalesce((
    SELECT l.upto FROM {schema}.lineage l JOIN {schema}.streams s ON s.stream_id = l.stream_id
    WHERE l.ancestor_id = :stream_id AND NOT s.closed AND s.stream_id IS DISTINCT FROM :without::bigint
    ORDER BY l.upto DESC LIMIT 1
), 0);

-- name: lock_family
-- Keeps forks and erasure of one stream apart: a fork must not begin to read what is being erased. And of two relatives
-- that are erased at once, which meet at a common ancestor, the second sees that the first is gone, so that what both
-- shared is not kept for either. In one order for all, or they could wait for each other. Not FOR UPDATE: it would make
-- a fork wait that has its share and refers to an ancestor.
SELECT stream_id FROM {schema}.streams
WHERE stream_id = ANY (
    ARRAY (SELECT ancestor_id FROM {schema}.lineage WHERE stream_id = :stream_id) || :stream_id::bigint
)
ORDER BY stream_id FOR NO KEY UPDATE;

-- name: share_stream
SELECT stream_id FROM {schema}.streams WHERE stream_id = :stream_id FOR SHARE;

-- name: events_by_version
SELECT version, topic, recorded_at, hash, payload FROM {schema}.events
WHERE stream_id = :stream_id AND version = ANY (:versions::bigint[]);

-- name: read_topics
SELECT version, topic, recorded_at, hash, payload FROM {schema}.events
WHERE stream_id = :stream_id AND version > :after AND version < :before AND topic = ANY (:topics::text[])
ORDER BY version LIMIT :limit;

-- name: content_sizes
-- The events of a stream that hold content which can be erased, with their stored bytes.
SELECT version, length(payload) FROM {schema}.events
WHERE stream_id = :stream_id AND version > :after AND topic = ANY (:topics::text[])
    AND get_byte(payload, 1) & 8 = 0
ORDER BY version;

-- name: erase_events
-- Leaves the digest by which the event takes part in the hash chain: see `eventstore.codec.envelope`.
UPDATE {schema}.events SET payload = '\x0108'::bytea || sha256(payload)
WHERE stream_id = :stream_id AND version = ANY (:versions::bigint[]) AND get_byte(payload, 1) & 8 = 0;

-- name: erase_events_after
UPDATE {schema}.events SET payload = '\x0108'::bytea || sha256(payload)
WHERE stream_id = :stream_id AND version > :after AND topic = ANY (:topics::text[])
    AND get_byte(payload, 1) & 8 = 0;

-- name: closed_ancestors
-- The ancestors of a stream that are closed: only forks keep their content alive.
SELECT l.ancestor_id FROM {schema}.lineage l JOIN {schema}.streams s ON s.stream_id = l.ancestor_id
WHERE l.stream_id = :stream_id AND s.closed;

-- name: count_streams
SELECT
    count(*) FILTER (WHERE NOT closed),
    count(*) FILTER (WHERE NOT closed AND parent_id IS NOT NULL),
    count(*) FILTER (WHERE closed)
FROM {schema}.streams;

-- name: bytes_on_disk
-- The size of all tables with their indexes.
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c
WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = :schema) AND c.relkind = 'r';

-- name: streams_by_name
-- One page in the order of names. An empty stream (its first append failed) is not listed. That each stream
-- has one last event is said so that the planner sees it, too: or it would expect next to none, and sort what it finds.
SELECT s.name, e.version, s.created_at, e.recorded_at, s.metadata::text, p.name, s.parent_version
FROM {schema}.streams s
CROSS JOIN LATERAL (
    SELECT version, recorded_at FROM {schema}.events WHERE stream_id = s.stream_id ORDER BY version DESC LIMIT 1
) e
LEFT JOIN {schema}.streams p ON p.stream_id = s.parent_id
WHERE NOT s.closed AND s.name >= :prefix AND s.name <= :prefix_end AND s.name > :cursor_name
    AND (:since::bigint IS NULL OR e.recorded_at >= :since)
    AND (:until::bigint IS NULL OR e.recorded_at < :until)
    AND s.metadata @> :metadata::jsonb
ORDER BY s.name LIMIT :limit;

-- name: streams_by_activity
-- One page, the most recently active first.
SELECT s.name, e.version, s.created_at, e.recorded_at, s.metadata::text, p.name, s.parent_version
FROM {schema}.streams s
JOIN {schema}.events e ON e.stream_id = s.stream_id
    AND e.version = (SELECT max(version) FROM {schema}.events WHERE stream_id = s.stream_id)
LEFT JOIN {schema}.streams p ON p.stream_id = s.parent_id
WHERE NOT s.closed AND s.name >= :prefix AND s.name <= :prefix_end
    AND (:cursor_time::bigint IS NULL OR (e.recorded_at, s.name) < (:cursor_time::bigint, :cursor_name))
    AND (:since::bigint IS NULL OR e.recorded_at >= :since)
    AND (:until::bigint IS NULL OR e.recorded_at < :until)
    AND s.metadata @> :metadata::jsonb
ORDER BY e.recorded_at DESC, s.name DESC LIMIT :limit;

-- name: feed_page
SELECT f.position, s.name, e.version, e.topic, e.recorded_at, e.hash, e.payload
FROM {schema}.feed f
JOIN {schema}.events e ON e.stream_id = f.stream_id AND e.version = f.version
JOIN {schema}.streams s ON s.stream_id = f.stream_id
WHERE f.position > :after AND f.position <= :upto
ORDER BY f.position LIMIT :limit;

-- name: feed_page_of_topics
SELECT f.position, s.name, e.version, e.topic, e.recorded_at, e.hash, e.payload
FROM {schema}.feed f
JOIN {schema}.events e ON e.stream_id = f.stream_id AND e.version = f.version
JOIN {schema}.streams s ON s.stream_id = f.stream_id
WHERE f.position > :after AND f.position <= :upto AND e.topic = ANY (:topics::text[])
ORDER BY f.position LIMIT :limit;

-- name: feed_end
SELECT position FROM {schema}.sequencer;

-- name: feed_rows
SELECT f.position, e.stream_id, e.version, e.topic, e.recorded_at, e.payload
FROM {schema}.feed f JOIN {schema}.events e ON e.stream_id = f.stream_id AND e.version = f.version
WHERE f.position > :after AND f.position <= :upto
ORDER BY f.position LIMIT :limit;

-- name: feed_sizes
-- How large the payloads of a part of the feed are: what is large stays where it is.
SELECT f.position, length(e.payload)
FROM {schema}.feed f JOIN {schema}.events e ON e.stream_id = f.stream_id AND e.version = f.version
WHERE f.position > :after AND f.position <= :upto
ORDER BY f.position LIMIT :limit;

-- name: feed_rows_at
SELECT f.position, e.stream_id, e.version, e.topic, e.recorded_at, e.payload
FROM {schema}.feed f JOIN {schema}.events e ON e.stream_id = f.stream_id AND e.version = f.version
WHERE f.position = ANY (:positions::bigint[])
ORDER BY f.position;

-- name: feed_rest
-- What has no place in the feed up to a position: what got one meanwhile, and what is younger than all that has one.
SELECT coalesce(f.position, 0), e.stream_id, e.version, e.topic, e.recorded_at, e.payload
FROM {schema}.events e LEFT JOIN {schema}.feed f ON f.stream_id = e.stream_id AND f.version = e.version
WHERE f.position IS NULL OR f.position > :after
ORDER BY f.position NULLS LAST, e.xid, e.stream_id, e.version;

-- name: feed_waiting
-- How far the feed goes, and the youngest transaction, up to one, of which there are events without a place in it: an
-- older one is still open. Both in one look, so that nothing gets its place in between.
SELECT s.position, (
    SELECT max(e.xid) FROM {schema}.events e
    WHERE e.xid >= s.xid AND e.xid < pg_snapshot_xmax(pg_current_snapshot())::text::bigint AND e.xid <= :upto
        AND NOT EXISTS (
            SELECT 1 FROM {schema}.feed f WHERE f.stream_id = e.stream_id AND f.version = e.version OFFSET 0
        )
)
FROM (SELECT position, xid FROM {schema}.sequencer LIMIT 1) AS s;

-- name: feed_positions
SELECT position FROM {schema}.feed
WHERE stream_id = :stream_id AND version BETWEEN :first AND :last ORDER BY version;

-- name: note_idempotent
-- Part of the append's own statement, of which `appended` is the result: no append, no note.
INSERT INTO {schema}.idempotency (stream_id, key, first_version, last_version, digest)
SELECT :stream_id::bigint, :key::text, :first_version::bigint, :last_version::bigint, :digest::bytea FROM appended;

-- name: create_migrations
CREATE TABLE IF NOT EXISTS {schema}.eventstore_migrations (
    component text NOT NULL,
    number integer NOT NULL,
    name text NOT NULL,
    digest text NOT NULL,
    applied_at bigint NOT NULL,
    PRIMARY KEY (component, number)
);

-- name: erased_among
-- Those of some events of a stream whose content was erased.
SELECT version, length(payload) FROM {schema}.events
WHERE stream_id = :stream_id AND version = ANY (:versions::bigint[]) AND get_byte(payload, 1) & 8 <> 0;

-- name: condition
-- How the store is: the feed's last position; how many events cannot get a place in it yet, since an older transaction is
-- open (not more than 10,000 are counted), and the time of the oldest; why this session may not write; and no file. It is
-- one look that changes nothing and waits for nobody, on a standby, too. Transactions from the future are those of
-- another cluster, from which this one was restored (see `number_events`).
SELECT s.position, held.number, held.since, CASE
    WHEN pg_is_in_recovery() THEN 'the server is a standby'
    WHEN current_setting('transaction_read_only') = 'on' THEN 'transactions are read-only'
    WHEN NOT has_table_privilege('{schema}.events', 'INSERT') THEN 'the user may not insert'
    ELSE ''
END, NULL::text
FROM {schema}.sequencer s, (
    SELECT count(*) AS number, min(recorded_at) AS since FROM (
        SELECT e.recorded_at FROM {schema}.events e
        WHERE e.xid >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint
            AND e.xid < pg_snapshot_xmax(pg_current_snapshot())::text::bigint
        LIMIT 10000
    ) AS events
) AS held;
