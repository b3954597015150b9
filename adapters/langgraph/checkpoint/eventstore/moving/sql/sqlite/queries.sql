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
