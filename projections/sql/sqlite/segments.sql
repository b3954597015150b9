-- name: segments_at
-- The segments that end at some versions of a stream.
SELECT version, channel, level, change FROM segments
WHERE stream_id = :stream_id AND version IN (SELECT value FROM json_each(:versions));

-- name: events_and_segments
-- The next step back into the past of a value: events that change it, and segments that end at some versions.
SELECT version, NULL, NULL, payload FROM events
WHERE stream_id = :stream_id AND version IN (SELECT value FROM json_each(:versions))
UNION ALL
SELECT version, channel, level, change FROM segments
WHERE stream_id = :stream_id AND version IN (SELECT value FROM json_each(:ends));

-- name: save_segment
INSERT INTO segments (stream_id, version, channel, level, change)
VALUES (:stream_id, :event_version, :channel, :level, :change)
ON CONFLICT (stream_id, version, channel, level) DO NOTHING;

-- name: drop_segments
-- Of events whose content is erased: nothing of it may be left in what it was merged into.
DELETE FROM segments WHERE stream_id = :stream_id AND version IN (SELECT value FROM json_each(:versions));
