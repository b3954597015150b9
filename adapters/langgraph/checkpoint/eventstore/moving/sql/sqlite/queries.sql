-- name: columns
-- The columns of a table; nothing, if it is not there.
SELECT name FROM pragma_table_info(:table);

-- name: tables
-- Whatever else is there tells whose database it is.
SELECT name FROM sqlite_master WHERE type = 'table';

-- name: places_of_writes
-- Where each pending write of a checkpoint stands, which LangGraph's tuples leave out.
SELECT task_id, task_path, idx, channel FROM writes
WHERE thread_id = :thread AND checkpoint_ns = :namespace AND checkpoint_id = :checkpoint;

-- name: bytes
SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size;

-- name: threads_of_run
-- Metadata is JSON, in bytes.
SELECT DISTINCT thread_id FROM checkpoints WHERE json_extract(CAST(metadata AS TEXT), '$.run_id') = :run;

-- name: checkpoint_before
SELECT checkpoint_id FROM checkpoints WHERE checkpoint_id < :before
ORDER BY checkpoint_id DESC LIMIT 1 OFFSET :skipped;

-- name: threads_between
SELECT DISTINCT thread_id FROM checkpoints WHERE checkpoint_id >= :last AND checkpoint_id < :before;
