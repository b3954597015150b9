-- name: usage_add
INSERT INTO {schema}.usage_seen (
    position, ordinal, stream_id, version, rank, spending, look, step, task, caller, bare,
    model, input, output, cached, cache_written, reasoning
)
SELECT
    (value ->> 0)::bigint, (value ->> 1)::bigint, (value ->> 2)::bigint, (value ->> 3)::bigint,
    (value ->> 4)::bigint, (value ->> 5)::bigint, (value ->> 6)::bigint, (value ->> 7)::bigint,
    (value ->> 8)::bigint, (value ->> 9)::bigint, (value ->> 10)::bigint, value ->> 11, (value ->> 12)::bigint,
    (value ->> 13)::bigint, (value ->> 14)::bigint, (value ->> 15)::bigint, (value ->> 16)::bigint
FROM json_array_elements(:rows::json);

-- name: usage_bare
-- Those of some looks that a message without an id has.
SELECT DISTINCT look FROM {schema}.usage_seen WHERE look = ANY (:looks::bigint[]) AND bare = 1;

-- name: usage_alike
-- All sightings of some looks, in the order of the feed.
SELECT position, ordinal, stream_id, version, rank, spending, look, step, task, caller, bare
FROM {schema}.usage_seen WHERE look = ANY (:looks::bigint[])
ORDER BY position, ordinal;

-- name: usage_forget
-- Drop the sightings in some events of a stream; not what a prune remembers of them.
DELETE FROM {schema}.usage_seen
WHERE stream_id = :stream_id AND version = ANY (:versions::bigint[]) AND ordinal >= 0;

-- name: usage_next_by
-- The next positions of some streams that have sightings.
SELECT DISTINCT position FROM {schema}.usage_seen
WHERE stream_id = ANY (:streams::bigint[]) AND position > :after AND position <= :upto
ORDER BY position LIMIT :limit;

-- name: usage_spent
-- What was spent at some positions: sightings than which no other of the spending is better, in the thread or before it
-- was forked.
SELECT
    u.rank, u.model, u.input, u.output, u.cached, u.cache_written, u.reasoning,
    coalesce((
        SELECT n.name FROM {schema}.audit_names n
        WHERE n.stream_id = a.stream_id AND n.version >= a.version ORDER BY n.version LIMIT 1
    ), s.name), a.recorded_at, a.run_id, a.node, a.metadata::text
FROM {schema}.usage_seen u
JOIN {schema}.audit a ON a.position = u.position
JOIN {schema}.streams s ON s.stream_id = u.stream_id
WHERE u.position = ANY (:positions::bigint[])
AND NOT EXISTS (
    SELECT 1 FROM {schema}.usage_seen b
    WHERE b.spending = u.spending AND b.stream_id = u.stream_id AND b.position <= :upto
        AND (b.rank, b.position, b.ordinal) < (u.rank, u.position, u.ordinal)
)
AND NOT EXISTS (
    SELECT 1 FROM {schema}.lineage l
    JOIN {schema}.usage_seen b ON b.spending = u.spending AND b.stream_id = l.ancestor_id AND b.version <= l.upto
    WHERE l.stream_id = u.stream_id AND b.position <= :upto
);
