-- name: page_of_store
-- The checkpoints that any thread shows, the newest first: whether the thread that saved it does, and whether forks may.
SELECT s.name, s.stream_id, c.branch_id, s.parent_id IS NOT NULL OR b.since > 0,
    s.closed = 0 AND b.left_at IS NULL AND c.retired_at IS NULL,
    EXISTS (SELECT 1 FROM sources v WHERE v.source_id = c.branch_id AND v.cut_at IS NULL),
    c.shown_from, c.retired_at, c.orphaned_at,
    c.namespace, c.checkpoint_id, c.version, c.parent_id, e.payload, e.recorded_at
FROM checkpoints c
JOIN branches b ON b.branch_id = c.branch_id
JOIN streams s ON s.stream_id = b.stream_id
JOIN events e ON e.stream_id = c.origin_id AND e.version = c.version
WHERE (c.checkpoint_id, c.namespace, c.branch_id, c.shown_from)
        < (:before, :before_namespace, :before_branch, :before_shown_from)
    AND (
        (s.closed = 0 AND b.left_at IS NULL AND c.retired_at IS NULL)
        OR EXISTS (SELECT 1 FROM sources v WHERE v.source_id = c.branch_id AND v.cut_at IS NULL)
    )
ORDER BY c.checkpoint_id DESC, c.namespace DESC, c.branch_id DESC, c.shown_from DESC LIMIT :limit;

-- name: taken_over
-- Which checkpoints a branch has taken over from those that it goes on from, with the writes that stay of them.
SELECT namespace, checkpoint_id FROM checkpoints
WHERE branch_id = :branch_id AND namespace = :namespace AND checkpoint_id IN (SELECT value FROM json_each(:checkpoint_ids))
    AND shown_from <= :upto AND shown_from <> version;

-- name: saved_among
-- Which of some checkpoints a branch has rows of.
SELECT DISTINCT checkpoint_id FROM checkpoints
WHERE branch_id = :branch_id AND namespace = :namespace AND checkpoint_id IN (SELECT value FROM json_each(:checkpoint_ids))
    AND shown_from <= :upto AND checkpoint_id <= :last_id
    AND (:retired = 1 OR retired_at IS NULL OR retired_at > :upto);

-- name: streams_of_runs
SELECT DISTINCT s.stream_id, s.name, s.closed
FROM checkpoints c
JOIN branches b ON b.branch_id = c.branch_id
JOIN streams s ON s.stream_id = b.stream_id
WHERE c.run_id IN (SELECT value FROM json_each(:run_ids));

-- name: replace_checkpoint
-- A checkpoint that is saved again is shown as it was by forks from before only.
UPDATE checkpoints SET retired_at = :event_version
WHERE branch_id = (SELECT branch_id FROM branches WHERE stream_id = :stream_id AND left_at IS NULL)
    AND namespace = :namespace AND checkpoint_id = :checkpoint_id AND retired_at IS NULL;

-- name: save_checkpoint
-- On the branch that the thread is on.
INSERT INTO checkpoints (
    branch_id, namespace, checkpoint_id, version, shown_from, origin_id, parent_id, run_id
)
VALUES (
    (SELECT branch_id FROM branches WHERE stream_id = :stream_id AND left_at IS NULL),
    :namespace, :checkpoint_id, :event_version, :event_version, :stream_id, :parent_id, :run_id
);

-- name: take_over_checkpoint
-- A branch takes over a checkpoint of those that it goes on from, or went on from until it was pruned. The event stays where it is.
INSERT INTO checkpoints (branch_id, namespace, checkpoint_id, version, shown_from, origin_id, parent_id, run_id, retired_at)
SELECT :branch_id, :namespace, :checkpoint_id, :event_version, :shown_from, coalesce(
    (SELECT l.ancestor_id FROM lineage l
     WHERE l.stream_id = :stream_id AND l.upto >= :event_version ORDER BY l.upto LIMIT 1),
    :stream_id
),
    :parent_id, :run_id, :retired_at
WHERE true
ON CONFLICT (branch_id, namespace, checkpoint_id, shown_from) DO NOTHING;

-- name: orphan_in_forks
-- Of what forks saved on checkpoints that no thread shows any longer: of those that the forks showed, which are retired.
UPDATE checkpoints AS child SET orphaned_at = 0
WHERE namespace = :namespace AND parent_id IN (SELECT value FROM json_each(:checkpoint_ids)) AND (orphaned_at IS NULL OR orphaned_at > 0)
    AND branch_id IN (
        SELECT s.branch_id
        FROM sources s JOIN checkpoints c
            ON c.branch_id = s.source_id AND c.namespace = :namespace AND c.checkpoint_id = child.parent_id
            AND c.shown_from <= s.upto AND (s.last_id IS NULL OR c.checkpoint_id <= s.last_id)
        WHERE s.source_id = :branch_id AND s.cut_at IS NULL
    )
    AND NOT EXISTS (
        SELECT 1 FROM checkpoints own
        WHERE own.branch_id = child.branch_id AND own.namespace = :namespace
            AND own.checkpoint_id = child.parent_id AND own.retired_at IS NULL
    );

-- name: lock_rows
-- While the rows are made anew nobody adds to them. Here the one writer at a time sees to that.
SELECT 1;
