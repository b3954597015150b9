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

-- name: pinned_upto
-- Up to which version a stream's events are needed by living forks; of one of them it may be said that it does not count.
SELECT coalesce((
    SELECT l.upto FROM lineage l JOIN streams s ON s.stream_id = l.stream_id
    WHERE l.ancestor_id = :stream_id AND s.closed = 0 AND s.stream_id IS NOT :without
    ORDER BY l.upto DESC LIMIT 1
), 0);

-- name: lock_family
-- Keeps forks and erasure of one stream, and of its relatives, apart. Here the one writer at a time does.
SELECT stream_id FROM streams WHERE stream_id = :stream_id;

-- name: share_stream
SELECT stream_id FROM streams WHERE stream_id = :stream_id;

-- name: events_by_version
SELECT version, topic, recorded_at, hash, payload FROM events
WHERE stream_id = :stream_id AND version IN (SELECT value FROM json_each(:versions));

-- name: read_topics
SELECT version, topic, recorded_at, hash, payload FROM events
WHERE stream_id = :stream_id AND version > :after AND version < :before
    AND topic IN (SELECT value FROM json_each(:topics))
ORDER BY version LIMIT :limit;

-- name: content_sizes
-- The events of a stream that hold content which can be erased, with their stored bytes.
SELECT version, length(payload) FROM events
WHERE stream_id = :stream_id AND version > :after AND topic IN (SELECT value FROM json_each(:topics))
    AND substr(payload, 1, 2) <> x'0108'
ORDER BY version;

-- name: erase_events
-- Leaves the digest by which the event takes part in the hash chain: see `eventstore.codec.envelope`.
UPDATE events SET payload = erased(payload)
WHERE stream_id = :stream_id AND version IN (SELECT value FROM json_each(:versions))
    AND substr(payload, 1, 2) <> x'0108';

-- name: erase_events_after
UPDATE events SET payload = erased(payload)
WHERE stream_id = :stream_id AND version > :after AND topic IN (SELECT value FROM json_each(:topics))
    AND substr(payload, 1, 2) <> x'0108';

-- name: closed_ancestors
-- The ancestors of a stream that are closed: only forks keep their content alive.
SELECT l.ancestor_id FROM lineage l JOIN streams s ON s.stream_id = l.ancestor_id
WHERE l.stream_id = :stream_id AND s.closed = 1;

-- name: count_streams
SELECT
    count(*) FILTER (WHERE closed = 0),
    count(*) FILTER (WHERE closed = 0 AND parent_id IS NOT NULL),
    count(*) FILTER (WHERE closed = 1)
FROM streams;

-- name: bytes_on_disk
-- The size of the file; what waits in the write-ahead log besides is not counted.
SELECT p.page_count * s.page_size FROM pragma_page_count() p, pragma_page_size() s;

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

-- name: feed_rows
SELECT position, stream_id, version, topic, recorded_at, payload FROM events
WHERE position > :after AND position <= :upto
ORDER BY position LIMIT :limit;

-- name: feed_sizes
-- How large the payloads of a part of the feed are: what is large stays where it is.
SELECT position, length(payload) FROM events
WHERE position > :after AND position <= :upto
ORDER BY position LIMIT :limit;

-- name: feed_rows_at
SELECT e.position, e.stream_id, e.version, e.topic, e.recorded_at, e.payload
FROM json_each(:positions) AS looked_at CROSS JOIN events e ON e.position = looked_at.value
ORDER BY e.position;

-- name: feed_rest
-- What has no place in the feed up to a position; here everything has one.
SELECT position, stream_id, version, topic, recorded_at, payload FROM events WHERE position > :after ORDER BY position;

-- name: feed_waiting
-- How far the feed goes. Here nothing that was committed is without its place.
SELECT coalesce(max(position), 0), NULL FROM events;

-- name: feed_positions
SELECT position FROM events
WHERE stream_id = :stream_id AND version BETWEEN :first AND :last ORDER BY version;

-- name: note_idempotent
INSERT INTO idempotency (stream_id, key, first_version, last_version, digest)
VALUES (:stream_id, :key, :first_version, :last_version, :digest);

-- name: create_migrations
CREATE TABLE IF NOT EXISTS eventstore_migrations (
    component TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    applied_at INTEGER NOT NULL,
    PRIMARY KEY (component, number)
) STRICT, WITHOUT ROWID;

-- name: erased_among
-- Those of some events of a stream whose content was erased.
SELECT version, length(payload) FROM events
WHERE stream_id = :stream_id AND version IN (SELECT value FROM json_each(:versions)) AND substr(payload, 1, 2) = x'0108';

-- name: condition
-- How the store is: the feed's last position; the events that have no place in it yet, of which SQLite has none, and the
-- time of the oldest; why nobody may write, which the file system says; and the file, if it is not in memory.
SELECT (SELECT coalesce(max(position), 0) FROM events), 0, NULL, '', file FROM pragma_database_list WHERE name = 'main';
