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

-- name: all_streams
SELECT stream_id, name, closed FROM {schema}.streams WHERE stream_id > :after ORDER BY stream_id LIMIT :limit;

-- name: events_without_a_stream
-- The first of each stream that is not there. References are checked, but not in a file that somebody else writes to.
SELECT e.stream_id, min(e.version) FROM {schema}.events e LEFT JOIN {schema}.streams s ON s.stream_id = e.stream_id
WHERE s.stream_id IS NULL GROUP BY e.stream_id;

-- name: stream_by_id
-- With the name that its hash chain began with.
SELECT name, closed, coalesce(begun_as, name) FROM {schema}.streams WHERE stream_id = :stream_id;

-- name: hash_at
SELECT hash FROM {schema}.events WHERE stream_id = :stream_id AND version = :version;

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

-- name: lineage
SELECT ancestor_id, upto FROM {schema}.lineage WHERE stream_id = :stream_id;

-- name: add_ancestor
INSERT INTO {schema}.lineage (stream_id, ancestor_id, upto) VALUES (:stream_id, :ancestor_id, :upto);

-- name: pinned_upto
-- Up to which version a stream's events are needed by living forks.
SELECT coalesce((
    SELECT l.upto FROM {schema}.lineage l JOIN {schema}.streams s ON s.stream_id = l.stream_id
    WHERE l.ancestor_id = :stream_id AND NOT s.closed
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

-- name: read_forward
SELECT version, topic, recorded_at, hash, payload FROM {schema}.events
WHERE stream_id = :stream_id AND version > :after AND version < :before
ORDER BY version LIMIT :limit;

-- name: read_backward
SELECT version, topic, recorded_at, hash, payload FROM {schema}.events
WHERE stream_id = :stream_id AND version > :after AND version < :before
ORDER BY version DESC LIMIT :limit;

-- name: events_by_version
SELECT version, topic, recorded_at, hash, payload FROM {schema}.events
WHERE stream_id = :stream_id AND version = ANY (:versions::bigint[]);

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

-- name: feed_positions
SELECT position FROM {schema}.feed
WHERE stream_id = :stream_id AND version BETWEEN :first AND :last ORDER BY version;

-- name: find_idempotent
SELECT i.first_version, i.last_version, i.digest, e.hash
FROM {schema}.idempotency i JOIN {schema}.events e ON e.stream_id = i.stream_id AND e.version = i.last_version
WHERE i.stream_id = :stream_id AND i.key = :key;

-- name: note_idempotent
-- Part of the append's own statement, of which `appended` is the result: no append, no note.
INSERT INTO {schema}.idempotency (stream_id, key, first_version, last_version, digest)
SELECT :stream_id::bigint, :key::text, :first_version::bigint, :last_version::bigint, :digest::bytea FROM appended;

-- name: tracked
SELECT position FROM {schema}.tracking WHERE consumer = :consumer;

-- name: track
-- Positions only go forward: nothing is returned, and nothing changed, by one that was passed already.
INSERT INTO {schema}.tracking (consumer, position) VALUES (:consumer, :new_position)
ON CONFLICT (consumer) DO UPDATE SET position = excluded.position WHERE tracking.position < excluded.position
RETURNING position;

-- name: add_snapshot
INSERT INTO {schema}.aggregate_snapshots (purpose, name, version, topic, payload)
VALUES (:purpose, :name, :version, :topic, :payload)
ON CONFLICT (purpose, name, version) DO NOTHING
RETURNING version;

-- name: snapshots_forward
SELECT version, topic, payload FROM {schema}.aggregate_snapshots
WHERE purpose = :purpose AND name = :name AND version > :after AND version < :before
ORDER BY version LIMIT :limit;

-- name: snapshots_backward
SELECT version, topic, payload FROM {schema}.aggregate_snapshots
WHERE purpose = :purpose AND name = :name AND version > :after AND version < :before
ORDER BY version DESC LIMIT :limit;

-- name: applied_migrations
SELECT component, number, digest FROM {schema}.eventstore_migrations;

-- name: create_migrations
CREATE TABLE IF NOT EXISTS {schema}.eventstore_migrations (
    component text NOT NULL,
    number integer NOT NULL,
    name text NOT NULL,
    digest text NOT NULL,
    applied_at bigint NOT NULL,
    PRIMARY KEY (component, number)
);

-- name: note_migration
INSERT INTO {schema}.eventstore_migrations (component, number, name, digest, applied_at)
VALUES (:component, :number, :title, :digest, :applied_at);
