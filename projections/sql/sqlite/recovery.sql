-- name: runs_deleted_after
-- What was deleted of a stream after a version: forks from before do not show it either.
SELECT version, payload FROM events WHERE stream_id = :stream_id AND version > :after AND topic = 'runs.deleted'
ORDER BY version;

-- name: no_segments
-- In place of `segments_at`: what the log alone gives.
SELECT version, channel, level, change FROM segments
WHERE stream_id = :stream_id AND version IN (SELECT value FROM json_each(:versions)) AND false;
