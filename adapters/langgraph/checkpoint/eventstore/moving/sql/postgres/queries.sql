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

-- name: threads_of_run
SELECT DISTINCT thread_id FROM checkpoints WHERE metadata @> jsonb_build_object('run_id', (:run)::text);

-- name: checkpoint_before
-- Ids are compared byte by byte, as here: a database may sort in another way.
SELECT checkpoint_id FROM checkpoints WHERE checkpoint_id COLLATE "C" < :before
ORDER BY checkpoint_id COLLATE "C" DESC LIMIT 1 OFFSET :skipped;

-- name: threads_between
SELECT DISTINCT thread_id FROM checkpoints
WHERE checkpoint_id COLLATE "C" >= :last AND checkpoint_id COLLATE "C" < :before;
