-- name: runs_deleted_after
-- What was deleted of a stream after a version: forks from before do not show it either.
SELECT version, payload FROM {schema}.events WHERE stream_id = :stream_id AND version > :after AND topic = 'runs.deleted'
ORDER BY version;

-- name: no_segments
-- In place of `segments_at`: what the log alone gives.
SELECT version, channel, level, change FROM {schema}.segments
WHERE stream_id = :stream_id AND version = ANY (:versions::bigint[]) AND false;

-- name: orphans_of_line
-- The rows of a line whose parents are shown no longer.
SELECT namespace, checkpoint_id, version, parent_id FROM {schema}.checkpoints
WHERE line_id = :line_id AND shown_from <= :upto AND orphaned_at <= :upto;

-- name: rows_past
-- Where rows lead that say of themselves that they were made after a version.
SELECT shown_from FROM {schema}.checkpoints WHERE line_id = :line_id AND shown_from > :after
UNION SELECT version FROM {schema}.writes WHERE line_id = :line_id AND version > :after;
