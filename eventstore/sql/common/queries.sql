-- The blocks that are the same in both dialects.

-- name: former_name
SELECT name FROM {schema}.former_names WHERE name = :name;

-- name: keep_former_name
-- As a stream gives up its name. An earlier one may have done so, too.
INSERT INTO {schema}.former_names (name) SELECT name FROM {schema}.streams WHERE stream_id = :stream_id
ON CONFLICT DO NOTHING;

-- name: all_streams
SELECT stream_id, name, closed FROM {schema}.streams WHERE stream_id > :after ORDER BY stream_id LIMIT :limit;

-- name: events_without_a_stream
-- The first of each stream that is not there. References are checked, but not in a file that somebody else writes to.
SELECT e.stream_id, min(e.version) FROM {schema}.events e LEFT JOIN {schema}.streams s ON s.stream_id = e.stream_id
WHERE s.stream_id IS NULL GROUP BY e.stream_id;

-- name: stream_by_id
-- With the name that its hash chain began with.
SELECT name, closed, coalesce(begun_as, name), parent_id, parent_version, metadata FROM {schema}.streams
WHERE stream_id = :stream_id;

-- name: family_of_stream
-- A stream that was forked from none, and all that descend from it.
SELECT stream_id, name, closed, coalesce(begun_as, name), parent_id, parent_version, metadata FROM {schema}.streams
WHERE stream_id = :root_id OR stream_id IN (SELECT stream_id FROM {schema}.lineage WHERE ancestor_id = :root_id)
ORDER BY stream_id;

-- name: count_events
SELECT topic, count(*), sum(length(payload)), min(recorded_at), max(recorded_at) FROM {schema}.events
GROUP BY topic ORDER BY topic;

-- name: count_events_of_stream
SELECT topic, count(*), sum(length(payload)), min(recorded_at), max(recorded_at) FROM {schema}.events
WHERE stream_id = :stream_id AND version > :after AND version <= :upto GROUP BY topic ORDER BY topic;

-- name: hash_at
SELECT hash FROM {schema}.events WHERE stream_id = :stream_id AND version = :version;

-- name: lineage
SELECT ancestor_id, upto FROM {schema}.lineage WHERE stream_id = :stream_id;

-- name: add_ancestor
INSERT INTO {schema}.lineage (stream_id, ancestor_id, upto) VALUES (:stream_id, :ancestor_id, :upto);

-- name: read_forward
SELECT version, topic, recorded_at, hash, payload FROM {schema}.events
WHERE stream_id = :stream_id AND version > :after AND version < :before
ORDER BY version LIMIT :limit;

-- name: read_backward
SELECT version, topic, recorded_at, hash, payload FROM {schema}.events
WHERE stream_id = :stream_id AND version > :after AND version < :before
ORDER BY version DESC LIMIT :limit;

-- name: find_idempotent
SELECT i.first_version, i.last_version, i.digest, e.hash
FROM {schema}.idempotency i JOIN {schema}.events e ON e.stream_id = i.stream_id AND e.version = i.last_version
WHERE i.stream_id = :stream_id AND i.key = :key;

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

-- name: note_migration
INSERT INTO {schema}.eventstore_migrations (component, number, name, digest, applied_at)
VALUES (:component, :number, :title, :digest, :applied_at);
