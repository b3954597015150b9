-- name: writes_of
-- Of the checkpoint that a branch goes on from, and of those saved behind it, nothing is gone on from: the branch has taken
-- over what stays of it. What waits for a checkpoint that is not saved yet goes on waiting. Early events of a fork are
-- those of its ancestors. OFFSET 0 keeps the planner from reading all events for a few writes.
SELECT w.checkpoint_id, w.version, e.payload, e.recorded_at
FROM {schema}.writes w
LEFT JOIN LATERAL (
    SELECT payload, recorded_at FROM {schema}.events
    WHERE version = w.version AND stream_id = coalesce(
        (SELECT l.ancestor_id FROM {schema}.lineage l WHERE l.stream_id = :stream_id::bigint AND l.upto = (
            SELECT min(m.upto) FROM {schema}.lineage m WHERE m.stream_id = :stream_id::bigint AND m.upto >= w.version
        )),
        :stream_id::bigint
    )
    OFFSET 0
) e ON true
WHERE w.branch_id = :branch_id AND w.namespace = :namespace AND w.checkpoint_id = ANY (:checkpoint_ids::text[])
    AND w.version <= :upto
    AND (w.checkpoint_id < :last_id OR NOT EXISTS (
        SELECT 1 FROM {schema}.checkpoints c
        WHERE c.branch_id = w.branch_id AND c.namespace = w.namespace AND c.checkpoint_id = w.checkpoint_id
            AND c.shown_from <= :upto
    ));

-- name: save_writes
-- Part of the append's own statement, whose result is `appended`.
INSERT INTO {schema}.writes (branch_id, namespace, checkpoint_id, version)
SELECT
    (SELECT branch_id FROM {schema}.branches WHERE stream_id = :stream_id::bigint AND left_at IS NULL),
    :namespace::text, :checkpoint_id::text, :event_version::bigint
FROM appended;

-- name: drop_writes_at
-- Of a stream's events whose content is erased: also what came when its checkpoint was hidden already.
DELETE FROM {schema}.writes
WHERE branch_id IN (SELECT branch_id FROM {schema}.branches WHERE stream_id = :stream_id)
    AND version = ANY (:versions::bigint[]);
