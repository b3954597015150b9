-- name: count_streams
SELECT
    count(*) FILTER (WHERE NOT closed),
    count(*) FILTER (WHERE NOT closed AND parent_id IS NOT NULL),
    count(*) FILTER (WHERE closed)
FROM {schema}.streams;

-- name: count_events
SELECT topic, count(*), sum(length(payload)), min(recorded_at), max(recorded_at) FROM {schema}.events GROUP BY topic;

-- name: count_events_of_stream
SELECT topic, count(*), sum(length(payload)), min(recorded_at), max(recorded_at) FROM {schema}.events
WHERE stream_id = :stream_id AND version <= :upto GROUP BY topic;

-- name: bytes_on_disk
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c
WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = :schema) AND c.relkind = 'r';
