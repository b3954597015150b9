-- name: writes_of
-- Of the checkpoint that a branch goes on from, and of those saved behind it, nothing is gone on from: the branch has taken
-- over what stays of it. What waits for a checkpoint that is not saved yet goes on waiting. Early events of a fork are
-- those of its ancestors.
SELECT w.checkpoint_id, w.version, e.payload, e.recorded_at
FROM writes w
LEFT JOIN events e ON e.version = w.version AND e.stream_id = coalesce(
    (SELECT l.ancestor_id FROM lineage l WHERE l.stream_id = :stream_id AND l.upto = (
        SELECT min(m.upto) FROM lineage m WHERE m.stream_id = :stream_id AND m.upto >= w.version
    )),
    :stream_id
)
WHERE w.branch_id = :branch_id AND w.namespace = :namespace AND w.checkpoint_id IN (SELECT value FROM json_each(:checkpoint_ids))
    AND w.version <= :upto
    AND (w.checkpoint_id < :last_id OR NOT EXISTS (
        SELECT 1 FROM checkpoints c
        WHERE c.branch_id = w.branch_id AND c.namespace = w.namespace AND c.checkpoint_id = w.checkpoint_id
            AND c.shown_from <= :upto
    ));

-- name: save_writes
INSERT INTO writes (branch_id, namespace, checkpoint_id, version)
VALUES (
    (SELECT branch_id FROM branches WHERE stream_id = :stream_id AND left_at IS NULL),
    :namespace, :checkpoint_id, :event_version
);

-- name: drop_writes_at
-- Of a stream's events whose content is erased: also what came when its checkpoint was hidden already.
DELETE FROM writes
WHERE branch_id IN (SELECT branch_id FROM branches WHERE stream_id = :stream_id)
    AND version IN (SELECT value FROM json_each(:versions));
