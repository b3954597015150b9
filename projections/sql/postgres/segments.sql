-- name: segments_at
-- The segments that end at some versions of a stream.
SELECT version, channel, level, change FROM {schema}.segments
WHERE stream_id = :stream_id AND version = ANY (:versions::bigint[]);

-- name: events_and_segments
-- The next step back into the past of a value: events that change it, and segments that end at some versions.
SELECT version, NULL::bytea, NULL::smallint, payload FROM {schema}.events
WHERE stream_id = :stream_id AND version = ANY (:versions::bigint[])
UNION ALL
SELECT version, channel, level, change FROM {schema}.segments
WHERE stream_id = :stream_id AND version = ANY (:ends::bigint[]);

-- name: save_segment
-- Part of the append's own statement, whose result is `appended`.
INSERT INTO {schema}.segments (stream_id, version, channel, level, change)
SELECT :stream_id::bigint, :event_version::bigint, :channel::bytea, (:level::bigint)::smallint, :change::bytea FROM appended
ON CONFLICT (stream_id, version, channel, level) DO NOTHING;

-- name: drop_segments
-- Of events whose content is erased: nothing of it may be left in what it was merged into.
DELETE FROM {schema}.segments WHERE stream_id = :stream_id AND version = ANY (:versions::bigint[]);
