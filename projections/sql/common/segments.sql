-- name: drop_segments_after
DELETE FROM {schema}.segments WHERE stream_id = :stream_id AND version > :after;

-- name: clear_segments
DELETE FROM {schema}.segments;
