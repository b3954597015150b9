-- name: audit_rename
UPDATE {schema}.audit SET node = :node WHERE position = :position;

-- name: audit_add_term
INSERT INTO {schema}.audit_terms (term, position) VALUES (:term, :position);

-- name: audit_clear_rows
DELETE FROM {schema}.audit;

-- name: audit_clear_terms
DELETE FROM {schema}.audit_terms;

-- name: audit_clear_names
DELETE FROM {schema}.audit_names;

-- name: audit_clear_spans
DELETE FROM {schema}.audit_spans;

-- name: audit_span_bounds
-- The first and the last span that may hold an event of some time.
SELECT
    (SELECT min(span) FROM {schema}.audit_spans WHERE latest >= :since),
    (SELECT max(span) FROM {schema}.audit_spans WHERE earliest < :until);
