-- name: usage_add
INSERT INTO usage_seen (
    position, ordinal, stream_id, version, rank, spending, look, step, task, caller, bare,
    model, input, output, cached, cache_written, reasoning
)
SELECT
    json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), json_extract(value, '$[3]'),
    json_extract(value, '$[4]'), json_extract(value, '$[5]'), json_extract(value, '$[6]'), json_extract(value, '$[7]'),
    json_extract(value, '$[8]'), json_extract(value, '$[9]'), json_extract(value, '$[10]'),
    json_extract(value, '$[11]'), json_extract(value, '$[12]'), json_extract(value, '$[13]'),
    json_extract(value, '$[14]'), json_extract(value, '$[15]'), json_extract(value, '$[16]')
FROM json_each(:rows);

-- name: usage_bare
-- Those of some looks that a message without an id has.
SELECT DISTINCT u.look FROM json_each(:looks) AS looked_at
CROSS JOIN usage_seen u ON u.look = looked_at.value AND u.bare = 1;

-- name: usage_alike
-- All sightings of some looks, in the order of the feed.
SELECT u.position, u.ordinal, u.stream_id, u.version, u.rank, u.spending, u.look, u.step, u.task, u.caller, u.bare
FROM json_each(:looks) AS looked_at CROSS JOIN usage_seen u ON u.look = looked_at.value
ORDER BY u.position, u.ordinal;

-- name: usage_forget
-- Drop the sightings in some events of a stream; not what a prune remembers of them.
DELETE FROM usage_seen
WHERE stream_id = :stream_id AND version IN (SELECT value FROM json_each(:versions)) AND ordinal >= 0;

-- name: usage_next_by
-- The next positions of some streams that have sightings.
SELECT DISTINCT u.position FROM json_each(:streams) AS wanted CROSS JOIN usage_seen u ON u.stream_id = wanted.value
WHERE u.position > :after AND u.position <= :upto
ORDER BY u.position LIMIT :limit;

-- name: usage_spent
-- What was spent at some positions: sightings than which no other of the spending is better, in the thread or before it
-- was forked.
SELECT
    u.rank, u.model, u.input, u.output, u.cached, u.cache_written, u.reasoning,
    coalesce((
        SELECT n.name FROM audit_names n
        WHERE n.stream_id = a.stream_id AND n.version >= a.version ORDER BY n.version LIMIT 1
    ), s.name), a.recorded_at, a.run_id, a.node, a.metadata
FROM json_each(:positions) AS looked_at
CROSS JOIN usage_seen u ON u.position = looked_at.value
CROSS JOIN audit a ON a.position = u.position
CROSS JOIN streams s ON s.stream_id = u.stream_id
WHERE NOT EXISTS (
    SELECT 1 FROM usage_seen b
    WHERE b.spending = u.spending AND b.stream_id = u.stream_id AND b.position <= :upto
        AND (b.rank, b.position, b.ordinal) < (u.rank, u.position, u.ordinal)
)
AND NOT EXISTS (
    SELECT 1 FROM lineage l
    CROSS JOIN usage_seen b ON b.spending = u.spending AND b.stream_id = l.ancestor_id AND b.version <= l.upto
    WHERE l.stream_id = u.stream_id AND b.position <= :upto
);
