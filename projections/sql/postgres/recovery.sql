-- name: runs_deleted_after
-- What was deleted of a stream after a version: forks from before do not show it either.
SELECT version, payload FROM {schema}.events WHERE stream_id = :stream_id AND version > :after AND topic = 'runs.deleted'
ORDER BY version;

-- name: no_segments
-- In place of `segments_at`: what the log alone gives.
SELECT version, channel, level, change FROM {schema}.segments
WHERE stream_id = :stream_id AND version = ANY (:versions::bigint[]) AND false;
