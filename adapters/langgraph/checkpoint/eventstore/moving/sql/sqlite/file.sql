-- name: places_of_writes_without_paths
-- Until langgraph-checkpoint-sqlite 3.1.2 there was no task_path.
SELECT task_id, '' AS task_path, idx, channel FROM writes
WHERE thread_id = :thread AND checkpoint_ns = :namespace AND checkpoint_id = :checkpoint;

-- name: read_only
-- What is moved from stays as it is.
PRAGMA query_only = ON;
