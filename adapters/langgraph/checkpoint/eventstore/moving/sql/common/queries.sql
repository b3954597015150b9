-- name: threads
-- One page of the threads, by their ids.
SELECT DISTINCT thread_id FROM checkpoints WHERE thread_id > :after ORDER BY thread_id LIMIT :limit;

-- name: places
-- The checkpoints of a thread, without their content.
SELECT checkpoint_ns, checkpoint_id, parent_checkpoint_id FROM checkpoints WHERE thread_id = :thread;

-- name: number
SELECT count(*) AS number FROM checkpoints;
