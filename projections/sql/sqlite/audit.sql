-- name: audit_add_rows
INSERT INTO audit (
    position, stream_id, version, topic, recorded_at, size, erased,
    namespace, checkpoint_id, run_id, node, task_id, channels, metadata
)
SELECT
    json_extract(value, '$.position'), json_extract(value, '$.stream_id'), json_extract(value, '$.version'),
    json_extract(value, '$.topic'), json_extract(value, '$.recorded_at'), json_extract(value, '$.size'),
    json_extract(value, '$.erased'), json_extract(value, '$.namespace'), json_extract(value, '$.checkpoint_id'),
    json_extract(value, '$.run_id'), json_extract(value, '$.node'), json_extract(value, '$.task_id'),
    json_extract(value, '$.channels'), json_extract(value, '$.metadata')
FROM json_each(:rows);

-- name: audit_add_terms
-- The terms of each position.
INSERT INTO audit_terms (term, position)
SELECT term.value, CAST(found.key AS INTEGER) FROM json_each(:terms) AS found, json_each(found.value) AS term
WHERE true
ORDER BY 1, 2;

-- name: audit_add_names
INSERT INTO audit_names (stream_id, version, name)
SELECT json_extract(value, '$.stream_id'), json_extract(value, '$.version'), json_extract(value, '$.name')
FROM json_each(:names);

-- name: audit_add_spans
INSERT INTO audit_spans (span, earliest, latest)
SELECT json_extract(value, '$.span'), json_extract(value, '$.earliest'), json_extract(value, '$.latest')
FROM json_each(:spans)
WHERE true
ON CONFLICT (span) DO UPDATE SET
    earliest = min(audit_spans.earliest, excluded.earliest), latest = max(audit_spans.latest, excluded.latest);

-- name: audit_with_content
-- Events of one thread whose content was there when they were entered.
SELECT a.position, a.version, a.topic, a.run_id, a.node, a.channels, a.metadata, a.namespace, a.checkpoint_id
FROM audit_terms t
CROSS JOIN audit a ON a.position = t.position
WHERE t.term = :term AND t.position > :after AND t.position <= :upto AND a.erased = 0
ORDER BY t.position LIMIT :limit;

-- name: audit_blank
UPDATE audit SET
    size = :size, erased = 1, namespace = '', checkpoint_id = NULL, run_id = NULL, node = NULL, task_id = NULL,
    channels = '[]', metadata = '{}'
WHERE position = :position;

-- name: audit_drop_terms
DELETE FROM audit_terms WHERE position = :position AND term IN (SELECT value FROM json_each(:terms));

-- name: audit_with_terms
-- The positions that have one of some terms.
SELECT t.position FROM json_each(:terms) AS wanted CROSS JOIN audit_terms t ON t.term = wanted.value;

-- name: audit_nodes
SELECT a.position, a.node FROM json_each(:positions) AS looked_at CROSS JOIN audit a ON a.position = looked_at.value;

-- name: audit_streams
-- The streams whose names are in a range: those that have them, and those that had them.
SELECT stream_id FROM (
    SELECT stream_id FROM streams WHERE name >= :low AND name <= :high AND closed = 0 ORDER BY name LIMIT :limit
) AS living
UNION ALL
SELECT stream_id FROM (
    SELECT stream_id FROM streams WHERE name >= :low AND name <= :high AND closed = 1 ORDER BY name LIMIT :limit
) AS deleted
UNION ALL
SELECT stream_id FROM (
    SELECT stream_id FROM audit_names WHERE name >= :low AND name <= :high ORDER BY name LIMIT :limit
) AS renamed;

-- name: audit_newest
-- The newest positions of each term.
SELECT found.value
FROM json_each(:terms) AS wanted, json_each((
    SELECT json_group_array(position) FROM (
        SELECT t.position FROM audit_terms t
        WHERE t.term = wanted.value AND t.position > :after AND t.position < :before
        ORDER BY t.position DESC LIMIT :limit
    ) AS newest
)) AS found;

-- name: audit_oldest
-- The oldest positions of each term.
SELECT found.value
FROM json_each(:terms) AS wanted, json_each((
    SELECT json_group_array(position) FROM (
        SELECT t.position FROM audit_terms t
        WHERE t.term = wanted.value AND t.position > :after AND t.position < :before
        ORDER BY t.position LIMIT :limit
    ) AS oldest
)) AS found;

-- name: audit_reach_newest
-- How far back so many positions of each term go; NULL if it has fewer.
SELECT wanted.value, (
    SELECT t.position FROM audit_terms t
    WHERE t.term = wanted.value AND t.position > :after AND t.position < :before
    ORDER BY t.position DESC LIMIT 1 OFFSET :depth
)
FROM json_each(:terms) AS wanted;

-- name: audit_reach_oldest
SELECT wanted.value, (
    SELECT t.position FROM audit_terms t
    WHERE t.term = wanted.value AND t.position > :after AND t.position < :before
    ORDER BY t.position LIMIT 1 OFFSET :depth
)
FROM json_each(:terms) AS wanted;

-- name: audit_having
-- Those of some positions that have one of the terms.
SELECT looked_at.value FROM json_each(:positions) AS looked_at
WHERE EXISTS (
    SELECT 1 FROM json_each(:terms) AS wanted
    CROSS JOIN audit_terms t ON t.term = wanted.value AND t.position = looked_at.value
);

-- name: audit_recorded
-- Those of some positions whose events are of a time.
SELECT a.position FROM json_each(:positions) AS looked_at CROSS JOIN audit a ON a.position = looked_at.value
WHERE a.recorded_at >= :since AND a.recorded_at < :until;

-- name: audit_named
-- Those of some positions whose threads' names are in a range.
SELECT a.position
FROM json_each(:positions) AS looked_at
CROSS JOIN audit a ON a.position = looked_at.value
CROSS JOIN streams s ON s.stream_id = a.stream_id
WHERE coalesce((
        SELECT n.name FROM audit_names n
        WHERE n.stream_id = a.stream_id AND n.version >= a.version ORDER BY n.version LIMIT 1
    ), s.name) BETWEEN :low AND :high;

-- name: audit_rows
SELECT a.position, coalesce((
        SELECT n.name FROM audit_names n
        WHERE n.stream_id = a.stream_id AND n.version >= a.version ORDER BY n.version LIMIT 1
    ), s.name), a.version, a.topic, a.recorded_at, a.size, a.erased,
    a.namespace, a.checkpoint_id, a.run_id, a.node, a.task_id, a.channels, a.metadata
FROM json_each(:positions) AS looked_at
CROSS JOIN audit a ON a.position = looked_at.value
CROSS JOIN streams s ON s.stream_id = a.stream_id;
