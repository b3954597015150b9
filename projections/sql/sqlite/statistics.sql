-- name: count_streams
SELECT
    count(*) FILTER (WHERE closed = 0),
    count(*) FILTER (WHERE closed = 0 AND parent_id IS NOT NULL),
    count(*) FILTER (WHERE closed = 1)
FROM streams;

-- name: count_events
SELECT topic, count(*), sum(length(payload)), min(recorded_at), max(recorded_at) FROM events GROUP BY topic;

-- name: count_events_of_stream
SELECT topic, count(*), sum(length(payload)), min(recorded_at), max(recorded_at) FROM events
WHERE stream_id = :stream_id AND version <= :upto GROUP BY topic;

-- name: bytes_on_disk
-- What the file takes; what waits in the write-ahead log besides is not counted.
SELECT p.page_count * s.page_size FROM pragma_page_count() p, pragma_page_size() s;
