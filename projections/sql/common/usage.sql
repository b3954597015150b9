-- name: usage_clear
DELETE FROM {schema}.usage_seen;

-- name: usage_change
-- A sighting turns out to be of another spending.
UPDATE {schema}.usage_seen SET spending = :spending WHERE position = :position AND ordinal = :ordinal;

-- name: usage_versions
-- The next events of a stream that have sightings themselves. (What a prune remembers of an event has a negative ordinal.)
SELECT DISTINCT position, version FROM {schema}.usage_seen
WHERE stream_id = :stream_id AND ordinal >= 0 AND position > :after AND position <= :upto ORDER BY position LIMIT :limit;

-- name: usage_next
-- The next positions that have sightings.
SELECT DISTINCT position FROM {schema}.usage_seen
WHERE position > :after AND position <= :upto ORDER BY position LIMIT :limit;

-- name: usage_forget_remembered
-- Drop what prunes remember of a stream.
DELETE FROM {schema}.usage_seen WHERE stream_id = :stream_id AND ordinal < 0;
