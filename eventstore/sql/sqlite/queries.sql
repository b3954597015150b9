-- name: stream_by_name
SELECT stream_id FROM streams WHERE name = :name AND closed = 0;

-- name: create_stream
INSERT INTO streams (name, parent_id, parent_version, created_at, metadata)
VALUES (:name, :parent_id, :parent_version, :created_at, :metadata)
ON CONFLICT (name) WHERE closed = 0 DO NOTHING
RETURNING stream_id;

-- name: take_empty_stream
-- A stream whose first append failed has nothing but its name: a fork may take it over.
UPDATE streams SET
    parent_id = :parent_id, parent_version = :parent_version, created_at = :created_at, metadata = :metadata
WHERE name = :name AND closed = 0 AND NOT EXISTS (SELECT 1 FROM events e WHERE e.stream_id = streams.stream_id)
RETURNING stream_id;

-- name: describe_stream
UPDATE streams SET metadata = :metadata WHERE stream_id = :stream_id;

-- name: stream_head
-- The stream that has the name now, and its last own event, if it has one.
SELECT s.stream_id, e.version, e.hash
FROM streams s
LEFT JOIN events e ON e.stream_id = s.stream_id
    AND e.version = (SELECT max(version) FROM events WHERE stream_id = s.stream_id)
WHERE s.name = :name AND s.closed = 0;

-- name: close_stream
UPDATE streams SET closed = 1 WHERE stream_id = :stream_id;

-- name: rename_stream
UPDATE streams SET name = :new_name, begun_as = coalesce(begun_as, name)
WHERE name = :name AND closed = 0;

-- name: all_streams
SELECT stream_id, name, closed FROM streams WHERE stream_id > :after ORDER BY stream_id LIMIT :limit;

-- name: events_without_a_stream
-- The first of each stream that is not there. References are checked, but not in a file that somebody else writes to.
SELECT e.stream_id, min(e.version) FROM events e LEFT JOIN streams s ON s.stream_id = e.stream_id
WHERE s.stream_id IS NULL GROUP BY e.stream_id;

-- name: stream_by_id
-- With the name that its hash chain began with.
SELECT name, closed, coalesce(begun_as, name) FROM streams WHERE stream_id = :stream_id;

-- name: hash_at
SELECT hash FROM events WHERE stream_id = :stream_id AND version = :version;

-- name: append_event
-- Stores nothing unless the predecessor is the one that the writer saw, to the last bit of its hash.
INSERT INTO events (stream_id, version, topic, recorded_at, hash, payload)
SELECT :stream_id, :version, :topic, :recorded_at, :hash, :payload
WHERE EXISTS (
    SELECT 1 FROM events WHERE stream_id = :stream_id AND version = :version - 1 AND hash = :previous
)
ON CONFLICT (stream_id, version) DO NOTHING
RETURNING version;

-- name: append_first_event
-- The first own event of a stream has no predecessor in it; that it is the first is what has to be checked.
INSERT INTO events (stream_id, version, topic, recorded_at, hash, payload)
SELECT :stream_id, :version, :topic, :recorded_at, :hash, :payload
WHERE NOT EXISTS (SELECT 1 FROM events WHERE stream_id = :stream_id)
ON CONFLICT (stream_id, version) DO NOTHING
RETURNING version;

-- name: lineage
SELECT ancestor_id, upto FROM lineage WHERE stream_id = :stream_id;

-- name: add_ancestor
INSERT INTO lineage (stream_id, ancestor_id, upto) VALUES (:stream_id, :ancestor_id, :upto);

-- name: pinned_upto
-- Up to which version a stream's events are needed by living forks.
SELECT coalesce((
    SELECT l.upto FROM lineage l JOIN streams s ON s.stream_id = l.stream_id
    WHERE l.ancestor_id = :stream_id AND s.closed = 0
    ORDER BY l.upto DESC LIMIT 1
), 0);

-- name: lock_family
-- Keeps forks and erasure of one stream, and of its relatives, apart. Here the one writer at a time does.
SELECT stream_id FROM streams WHERE stream_id = :stream_id;

-- name: share_stream
SELECT stream_id FROM streams WHERE stream_id = :stream_id;

-- name: read_forward
SELECT version, topic, recorded_at, hash, payload FROM events
WHERE stream_id = :stream_id AND version > :after AND version < :before
ORDER BY version LIMIT :limit;

-- name: read_backward
SELECT version, topic, recorded_at, hash, payload FROM events
WHERE stream_id = :stream_id AND version > :after AND version < :before
ORDER BY version DESC LIMIT :limit;

-- name: events_by_version
SELECT version, topic, recorded_at, hash, payload FROM events
WHERE stream_id = :stream_id AND version IN (SELECT value FROM json_each(:versions));

-- name: streams_by_name
-- One page in the order of names. An empty stream (its first append failed) is not listed.
SELECT s.name, e.version, s.created_at, e.recorded_at, s.metadata, p.name, s.parent_version
FROM streams s
JOIN events e ON e.stream_id = s.stream_id
    AND e.version = (SELECT max(version) FROM events WHERE stream_id = s.stream_id)
LEFT JOIN streams p ON p.stream_id = s.parent_id
WHERE s.closed = 0 AND s.name >= :prefix AND s.name <= :prefix_end AND s.name > :cursor_name
    AND (:since IS NULL OR e.recorded_at >= :since)
    AND (:until IS NULL OR e.recorded_at < :until)
    AND NOT EXISTS (
        SELECT 1 FROM json_each(:metadata) AS wanted WHERE NOT EXISTS (
            SELECT 1 FROM json_each(s.metadata) AS has
            WHERE has.key = wanted.key AND has.value IS wanted.value
                -- true is not 1, but 1.0 is.
                AND replace(has.type, 'real', 'integer') = replace(wanted.type, 'real', 'integer')
        )
    )
ORDER BY s.name LIMIT :limit;

-- name: streams_by_activity
-- One page, the most recently active first.
SELECT s.name, e.version, s.created_at, e.recorded_at, s.metadata, p.name, s.parent_version
FROM streams s
JOIN events e ON e.stream_id = s.stream_id
    AND e.version = (SELECT max(version) FROM events WHERE stream_id = s.stream_id)
LEFT JOIN streams p ON p.stream_id = s.parent_id
WHERE s.closed = 0 AND s.name >= :prefix AND s.name <= :prefix_end
    AND (:cursor_time IS NULL OR (e.recorded_at, s.name) < (:cursor_time, :cursor_name))
    AND (:since IS NULL OR e.recorded_at >= :since)
    AND (:until IS NULL OR e.recorded_at < :until)
    AND NOT EXISTS (
        SELECT 1 FROM json_each(:metadata) AS wanted WHERE NOT EXISTS (
            SELECT 1 FROM json_each(s.metadata) AS has
            WHERE has.key = wanted.key AND has.value IS wanted.value
                -- true is not 1, but 1.0 is.
                AND replace(has.type, 'real', 'integer') = replace(wanted.type, 'real', 'integer')
        )
    )
ORDER BY e.recorded_at DESC, s.name DESC LIMIT :limit;

-- name: feed_page
SELECT e.position, s.name, e.version, e.topic, e.recorded_at, e.hash, e.payload
FROM events e JOIN streams s USING (stream_id)
WHERE e.position > :after AND e.position <= :upto
ORDER BY e.position LIMIT :limit;

-- name: feed_page_of_topics
SELECT e.position, s.name, e.version, e.topic, e.recorded_at, e.hash, e.payload
FROM events e JOIN streams s USING (stream_id)
WHERE e.position > :after AND e.position <= :upto AND e.topic IN (SELECT value FROM json_each(:topics))
ORDER BY e.position LIMIT :limit;

-- name: feed_end
SELECT coalesce(max(position), 0) FROM events;

-- name: feed_positions
SELECT position FROM events
WHERE stream_id = :stream_id AND version BETWEEN :first AND :last ORDER BY version;

-- name: find_idempotent
SELECT i.first_version, i.last_version, i.digest, e.hash
FROM idempotency i JOIN events e ON e.stream_id = i.stream_id AND e.version = i.last_version
WHERE i.stream_id = :stream_id AND i.key = :key;

-- name: note_idempotent
INSERT INTO idempotency (stream_id, key, first_version, last_version, digest)
VALUES (:stream_id, :key, :first_version, :last_version, :digest);

-- name: tracked
SELECT position FROM tracking WHERE consumer = :consumer;

-- name: track
-- Positions only go forward: nothing is returned, and nothing changed, by one that was passed already.
INSERT INTO tracking (consumer, position) VALUES (:consumer, :new_position)
ON CONFLICT (consumer) DO UPDATE SET position = excluded.position WHERE tracking.position < excluded.position
RETURNING position;

-- name: add_snapshot
INSERT INTO aggregate_snapshots (purpose, name, version, topic, payload)
VALUES (:purpose, :name, :version, :topic, :payload)
ON CONFLICT (purpose, name, version) DO NOTHING
RETURNING version;

-- name: snapshots_forward
SELECT version, topic, payload FROM aggregate_snapshots
WHERE purpose = :purpose AND name = :name AND version > :after AND version < :before
ORDER BY version LIMIT :limit;

-- name: snapshots_backward
SELECT version, topic, payload FROM aggregate_snapshots
WHERE purpose = :purpose AND name = :name AND version > :after AND version < :before
ORDER BY version DESC LIMIT :limit;

-- name: applied_migrations
SELECT component, number, digest FROM eventstore_migrations;

-- name: create_migrations
CREATE TABLE IF NOT EXISTS eventstore_migrations (
    component TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    applied_at INTEGER NOT NULL,
    PRIMARY KEY (component, number)
) STRICT, WITHOUT ROWID;

-- name: note_migration
INSERT INTO eventstore_migrations (component, number, name, digest, applied_at)
VALUES (:component, :number, :title, :digest, :applied_at);
