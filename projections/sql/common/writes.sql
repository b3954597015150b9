-- name: writes_of_branch
-- The writes of one checkpoint in their order: see `writes_of`.
SELECT w.namespace, w.checkpoint_id, w.version FROM {schema}.writes w
WHERE w.branch_id = :branch_id AND w.version <= :upto
    AND (w.checkpoint_id < :last_id OR NOT EXISTS (
        SELECT 1 FROM {schema}.checkpoints c
        WHERE c.branch_id = w.branch_id AND c.namespace = w.namespace AND c.checkpoint_id = w.checkpoint_id
            AND c.shown_from <= :upto
    ))
ORDER BY w.namespace, w.checkpoint_id, w.version;

-- name: newest_written
SELECT max(checkpoint_id) FROM {schema}.writes WHERE branch_id = :branch_id AND namespace = :namespace;

-- name: waiting_writes
-- What arrived after a version for checkpoints of the outermost graph that are not saved yet: those behind its latest,
-- but for those whose runs were deleted.
SELECT w.checkpoint_id, w.version FROM {schema}.writes w
WHERE w.branch_id = :branch_id AND w.namespace = '' AND w.checkpoint_id > :latest AND w.version > :after
    AND w.version <= :upto
    AND NOT EXISTS (
        SELECT 1 FROM {schema}.checkpoints c
        WHERE c.branch_id = w.branch_id AND c.namespace = w.namespace AND c.checkpoint_id = w.checkpoint_id
            AND c.shown_from <= :upto
    )
ORDER BY w.checkpoint_id, w.version;

-- name: take_over_writes
INSERT INTO {schema}.writes (branch_id, namespace, checkpoint_id, version)
VALUES (:branch_id, :namespace, :checkpoint_id, :event_version)
ON CONFLICT (branch_id, namespace, checkpoint_id, version) DO NOTHING;

-- name: drop_writes
-- But for those that forks show.
DELETE FROM {schema}.writes
WHERE branch_id = :branch_id AND namespace = :namespace AND checkpoint_id = :checkpoint_id AND version > :pinned;

-- name: drop_writes_after
DELETE FROM {schema}.writes WHERE branch_id = :branch_id AND version > :after;

-- name: clear_writes
DELETE FROM {schema}.writes;
