-- name: columns
-- The columns of a table that the search path leads to; nothing, if it is not there.
SELECT attname AS name FROM pg_attribute
WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped;

-- name: tables
-- Whatever else is there tells whose database it is.
SELECT tablename AS name FROM pg_tables WHERE schemaname = ANY (current_schemas(false));

-- name: places_of_writes
-- Where each pending write of a checkpoint stands, which LangGraph's tuples leave out.
SELECT task_id, task_path, idx, channel FROM checkpoint_writes
WHERE thread_id = :thread AND checkpoint_ns = :namespace AND checkpoint_id = :checkpoint;

-- name: bytes
SELECT sum(pg_total_relation_size(to_regclass(name)))::bigint AS bytes
FROM unnest(ARRAY['checkpoints', 'checkpoint_blobs', 'checkpoint_writes']) AS name;
