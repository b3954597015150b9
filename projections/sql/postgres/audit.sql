-- name: audit_add_rows
INSERT INTO {schema}.audit (
    position, stream_id, version, topic, recorded_at, size, erased,
    namespace, checkpoint_id, run_id, node, task_id, channels, metadata
)
SELECT
    position, stream_id, version, topic, recorded_at, size, erased,
    namespace, checkpoint_id, run_id, node, task_id, channels, metadata
FROM json_populate_recordset(NULL::{schema}.audit, :rows::json);

-- name: audit_add_terms
-- The terms of each position.
INSERT INTO {schema}.audit_terms (term, position)
SELECT term.value::bigint, found.key::bigint
FROM json_each(:terms::json) AS found, json_array_elements_text(found.value) AS term
ORDER BY 1, 2;

-- name: audit_add_names
INSERT INTO {schema}.audit_names (stream_id, version, name)
SELECT stream_id, version, name FROM json_populate_recordset(NULL::{schema}.audit_names, :names::json);

-- name: audit_add_spans
INSERT INTO {schema}.audit_spans (span, earliest, latest)
SELECT span, earliest, latest FROM json_populate_recordset(NULL::{schema}.audit_spans, :spans::json)
ON CONFLICT (span) DO UPDATE SET
    earliest = least(audit_spans.earliest, excluded.earliest), latest = greatest(audit_spans.latest, excluded.latest);

-- name: audit_with_content
-- Events of one thread whose content was there when they were entered.
SELECT a.position, a.version, a.topic, a.run_id, a.node, array_to_json(a.channels)::text, a.metadata::text, a.namespace,
    a.checkpoint_id
FROM {schema}.audit_terms t
JOIN {schema}.audit a ON a.position = t.position
WHERE t.term = :term AND t.position > :after AND t.position <= :upto AND NOT a.erased
ORDER BY t.position LIMIT :limit;

-- name: audit_blank
UPDATE {schema}.audit SET
    size = :size, erased = true, namespace = '', checkpoint_id = NULL, run_id = NULL, node = NULL, task_id = NULL,
    channels = '{}', metadata = '{}'
WHERE position = :position;

-- name: audit_drop_terms
DELETE FROM {schema}.audit_terms WHERE position = :position AND term = ANY (:terms::bigint[]);

-- name: audit_with_terms
-- The positions that have one of some terms.
SELECT position FROM {schema}.audit_terms WHERE term = ANY (:terms::bigint[]);

-- name: audit_nodes
SELECT position, node FROM {schema}.audit WHERE position = ANY (:positions::bigint[]);

-- name: audit_streams
-- The streams whose names are in a range: those that have them, and those that had them.
(
    SELECT stream_id FROM {schema}.streams WHERE name >= :low AND name <= :high AND NOT closed ORDER BY name LIMIT :limit
)
UNION ALL
(
    SELECT stream_id FROM {schema}.streams WHERE name >= :low AND name <= :high AND closed ORDER BY name LIMIT :limit
)
UNION ALL
(
    SELECT stream_id FROM {schema}.audit_names WHERE name >= :low AND name <= :high ORDER BY name LIMIT :limit
);

-- name: audit_newest
-- The newest positions of each term.
SELECT found.position
FROM unnest(:terms::bigint[]) AS wanted (term)
CROSS JOIN LATERAL (
    SELECT t.position FROM {schema}.audit_terms t
    WHERE t.term = wanted.term AND t.position > :after AND t.position < :before
    ORDER BY t.position DESC LIMIT :limit
) AS found;

-- name: audit_oldest
-- The oldest positions of each term.
SELECT found.position
FROM unnest(:terms::bigint[]) AS wanted (term)
CROSS JOIN LATERAL (
    SELECT t.position FROM {schema}.audit_terms t
    WHERE t.term = wanted.term AND t.position > :after AND t.position < :before
    ORDER BY t.position LIMIT :limit
) AS found;

-- name: audit_reach_newest
-- How far back so many positions of each term go; NULL if it has fewer.
SELECT wanted.term, (
    SELECT t.position FROM {schema}.audit_terms t
    WHERE t.term = wanted.term AND t.position > :after AND t.position < :before
    ORDER BY t.position DESC LIMIT 1 OFFSET :depth
)
FROM unnest(:terms::bigint[]) AS wanted (term);

-- name: audit_reach_oldest
SELECT wanted.term, (
    SELECT t.position FROM {schema}.audit_terms t
    WHERE t.term = wanted.term AND t.position > :after AND t.position < :before
    ORDER BY t.position LIMIT 1 OFFSET :depth
)
FROM unnest(:terms::bigint[]) AS wanted (term);

-- name: audit_having
-- Those of some positions that have one of the terms. OFFSET 0 keeps it a look-up for each, whatever the planner expects.
SELECT looked_at.position FROM unnest(:positions::bigint[]) AS looked_at (position)
WHERE EXISTS (
    SELECT 1 FROM {schema}.audit_terms t
    WHERE t.term = ANY (:terms::bigint[]) AND t.position = looked_at.position OFFSET 0
);

-- name: audit_recorded
-- Those of some positions whose events are of a time.
SELECT a.position FROM {schema}.audit a
WHERE a.position = ANY (:positions::bigint[]) AND a.recorded_at >= :since AND a.recorded_at < :until;

-- name: audit_named
-- Those of some positions whose threads' names are in a range.
SELECT a.position FROM {schema}.audit a
WHERE a.position = ANY (:positions::bigint[]) AND (
    SELECT coalesce((
        SELECT n.name FROM {schema}.audit_names n
        WHERE n.stream_id = a.stream_id AND n.version >= a.version ORDER BY n.version LIMIT 1
    ), s.name) BETWEEN :low AND :high
    FROM {schema}.streams s WHERE s.stream_id = a.stream_id
);

-- name: audit_rows
SELECT a.position, coalesce((
        SELECT n.name FROM {schema}.audit_names n
        WHERE n.stream_id = a.stream_id AND n.version >= a.version ORDER BY n.version LIMIT 1
    ), (SELECT s.name FROM {schema}.streams s WHERE s.stream_id = a.stream_id)),
    a.version, a.topic, a.recorded_at, a.size, a.erased,
    a.namespace, a.checkpoint_id, a.run_id, a.node, a.task_id, array_to_json(a.channels)::text, a.metadata::text
FROM {schema}.audit a
WHERE a.position = ANY (:positions::bigint[]);
