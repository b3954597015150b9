-- name: audit_state
SELECT position, era FROM {schema}.audit_state;

-- name: audit_turn
-- Those who catch up take turns on this row.
SELECT position, era FROM {schema}.audit_state FOR UPDATE;

-- name: audit_advance
UPDATE {schema}.audit_state SET position = :new_position;

-- name: audit_begin_anew
UPDATE {schema}.audit_state SET position = 0, era = era + 1;

-- name: audit_feed_end
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

-- name: audit_feed_sizes
-- How large the payloads of a part of the feed are: what is large stays where it is.
SELECT f.position, length(e.payload)
FROM {schema}.feed f JOIN {schema}.events e ON e.stream_id = f.stream_id AND e.version = f.version
WHERE f.position > :after AND f.position <= :upto
ORDER BY f.position;

-- name: audit_feed
SELECT f.position, e.stream_id, e.version, e.topic, e.recorded_at, e.payload
FROM {schema}.feed f JOIN {schema}.events e ON e.stream_id = f.stream_id AND e.version = f.version
WHERE f.position > :after AND f.position <= :upto
ORDER BY f.position;

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

-- name: audit_add_spans
INSERT INTO {schema}.audit_spans (span, earliest, latest)
SELECT span, earliest, latest FROM json_populate_recordset(NULL::{schema}.audit_spans, :spans::json)
ON CONFLICT (span) DO UPDATE SET
    earliest = least(audit_spans.earliest, excluded.earliest), latest = greatest(audit_spans.latest, excluded.latest);

-- name: audit_newly_erased
-- Events of one thread whose content was erased since they were entered.
SELECT t.position, a.topic, length(e.payload), a.run_id, a.node, array_to_json(a.channels)::text,
    a.metadata::text, a.namespace, a.checkpoint_id
FROM {schema}.audit_terms t
JOIN {schema}.audit a ON a.position = t.position
JOIN {schema}.events e ON e.stream_id = a.stream_id AND e.version = a.version
WHERE t.term = :term AND t.position > :after AND t.position <= :upto AND NOT a.erased
    AND substring(e.payload FROM 1 FOR 2) = '\x0108'::bytea
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

-- name: audit_events
-- Events at some positions, as the feed has them.
SELECT f.position, e.stream_id, e.version, e.topic, e.recorded_at, e.payload
FROM {schema}.feed f JOIN {schema}.events e ON e.stream_id = f.stream_id AND e.version = f.version
WHERE f.position = ANY (:positions::bigint[]);

-- name: audit_nodes
SELECT position, node FROM {schema}.audit WHERE position = ANY (:positions::bigint[]);

-- name: audit_rename
UPDATE {schema}.audit SET node = :node WHERE position = :position;

-- name: audit_add_term
INSERT INTO {schema}.audit_terms (term, position) VALUES (:term, :position);

-- name: audit_forget_rows
DELETE FROM {schema}.audit;

-- name: audit_forget_terms
DELETE FROM {schema}.audit_terms;

-- name: audit_forget_spans
DELETE FROM {schema}.audit_spans;

-- name: audit_streams
-- The streams whose names are in a range: those that have them, and those that had them until they were deleted.
(
    SELECT stream_id FROM {schema}.streams WHERE name >= :low AND name <= :high AND NOT closed ORDER BY name LIMIT :limit
)
UNION ALL
(
    SELECT stream_id FROM {schema}.streams WHERE name >= :low AND name <= :high AND closed ORDER BY name LIMIT :limit
);

-- name: audit_span_bounds
-- The first and the last span that may hold an event of some time.
SELECT
    (SELECT min(span) FROM {schema}.audit_spans WHERE latest >= :since),
    (SELECT max(span) FROM {schema}.audit_spans WHERE earliest < :until);

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
    SELECT s.name >= :low AND s.name <= :high FROM {schema}.streams s WHERE s.stream_id = a.stream_id
);

-- name: audit_rows
SELECT a.position, (SELECT s.name FROM {schema}.streams s WHERE s.stream_id = a.stream_id),
    a.version, a.topic, a.recorded_at, a.size, a.erased,
    a.namespace, a.checkpoint_id, a.run_id, a.node, a.task_id, array_to_json(a.channels)::text, a.metadata::text
FROM {schema}.audit a
WHERE a.position = ANY (:positions::bigint[]);
