-- name: page_of_store
-- The checkpoints that any thread shows, the newest first: whether the thread that saved it does, and whether forks may.
-- It asks for the smallest fork, since that is always looked up in the index; for whether there is any, the planner may
-- read all forks.
SELECT s.name, s.stream_id, c.branch_id, s.parent_id IS NOT NULL OR b.since > 0,
    NOT s.closed AND b.left_at IS NULL AND c.retired_at IS NULL,
    (SELECT min(v.branch_id) FROM {schema}.sources v WHERE v.source_id = c.branch_id AND v.cut_at IS NULL) IS NOT NULL,
    c.shown_from, c.retired_at, c.orphaned_at,
    c.namespace, c.checkpoint_id, c.version, c.parent_id, e.payload, e.recorded_at
FROM {schema}.checkpoints c
JOIN {schema}.branches b ON b.branch_id = c.branch_id
JOIN {schema}.streams s ON s.stream_id = b.stream_id
JOIN {schema}.events e ON e.stream_id = c.origin_id AND e.version = c.version
WHERE (c.checkpoint_id, c.namespace, c.branch_id, c.shown_from)
        < (:before, :before_namespace, :before_branch, :before_shown_from)
    AND (
        (NOT s.closed AND b.left_at IS NULL AND c.retired_at IS NULL)
        OR (
            SELECT min(v.branch_id) FROM {schema}.sources v WHERE v.source_id = c.branch_id AND v.cut_at IS NULL
        ) IS NOT NULL
    )
ORDER BY c.checkpoint_id DESC, c.namespace DESC, c.branch_id DESC, c.shown_from DESC LIMIT :limit;

-- name: taken_over
-- Which checkpoints a branch has taken over from those that it goes on from, with the writes that stay of them.
SELECT namespace, checkpoint_id FROM {schema}.checkpoints
WHERE branch_id = :branch_id AND namespace = :namespace AND checkpoint_id = ANY (:checkpoint_ids::text[])
    AND shown_from <= :upto AND shown_from <> version;

-- name: saved_among
-- Which of some checkpoints a branch has rows of.
SELECT DISTINCT checkpoint_id FROM {schema}.checkpoints
WHERE branch_id = :branch_id AND namespace = :namespace AND checkpoint_id = ANY (:checkpoint_ids::text[])
    AND shown_from <= :upto AND checkpoint_id <= :last_id
    AND (:retired = 1 OR retired_at IS NULL OR retired_at > :upto);

-- name: streams_of_runs
SELECT DISTINCT s.stream_id, s.name, s.closed
FROM {schema}.checkpoints c
JOIN {schema}.branches b ON b.branch_id = c.branch_id
JOIN {schema}.streams s ON s.stream_id = b.stream_id
WHERE c.run_id = ANY (:run_ids::text[]);

-- name: replace_checkpoint
-- A checkpoint that is saved again is shown as it was by forks from before only. Part of the append's own statement, whose result is `appended`: without the event nothing is changed.
UPDATE {schema}.checkpoints SET retired_at = :event_version::bigint
FROM appended
WHERE branch_id = (SELECT branch_id FROM {schema}.branches WHERE stream_id = :stream_id::bigint AND left_at IS NULL)
    AND namespace = :namespace::text AND checkpoint_id = :checkpoint_id::text AND retired_at IS NULL;

-- name: save_checkpoint
-- On the branch that the thread is on. Part of the append's own statement.
INSERT INTO {schema}.checkpoints (
    branch_id, namespace, checkpoint_id, version, shown_from, origin_id, parent_id, run_id
)
SELECT
    (SELECT branch_id FROM {schema}.branches WHERE stream_id = :stream_id::bigint AND left_at IS NULL),
    :namespace::text, :checkpoint_id::text, :event_version::bigint, :event_version::bigint,
    :stream_id::bigint, :parent_id::text, :run_id::text
FROM appended;

-- name: take_over_checkpoint
-- A branch takes over a checkpoint of those that it goes on from, or went on from until it was pruned. The event stays where it is.
INSERT INTO {schema}.checkpoints (branch_id, namespace, checkpoint_id, version, shown_from, origin_id, parent_id, run_id, retired_at)
SELECT :branch_id::bigint, :namespace::text, :checkpoint_id::text, :event_version::bigint, :shown_from::bigint, coalesce(
    (SELECT l.ancestor_id FROM {schema}.lineage l
     WHERE l.stream_id = :stream_id::bigint AND l.upto >= :event_version::bigint ORDER BY l.upto LIMIT 1),
    :stream_id::bigint
),
    :parent_id::text, :run_id::text, :retired_at::bigint
WHERE true
ON CONFLICT (branch_id, namespace, checkpoint_id, shown_from) DO NOTHING;

-- name: orphan_in_forks
-- Of what forks saved on checkpoints that no thread shows any longer: of those that the forks showed, which are retired.
UPDATE {schema}.checkpoints AS child SET orphaned_at = 0
WHERE namespace = :namespace AND parent_id = ANY (:checkpoint_ids::text[]) AND (orphaned_at IS NULL OR orphaned_at > 0)
    AND branch_id IN (
        SELECT s.branch_id
        FROM {schema}.sources s JOIN {schema}.checkpoints c
            ON c.branch_id = s.source_id AND c.namespace = :namespace AND c.checkpoint_id = child.parent_id
            AND c.shown_from <= s.upto AND (s.last_id IS NULL OR c.checkpoint_id <= s.last_id)
        WHERE s.source_id = :branch_id AND s.cut_at IS NULL
    )
    AND NOT EXISTS (
        SELECT 1 FROM {schema}.checkpoints own
        WHERE own.branch_id = child.branch_id AND own.namespace = :namespace
            AND own.checkpoint_id = child.parent_id AND own.retired_at IS NULL
    );

-- name: lock_rows
-- While the rows are made anew nobody adds to them: this waits for writers that have begun, and makes others wait. In
-- the order in which all others change them, too.
LOCK TABLE {schema}.branches, {schema}.sources, {schema}.checkpoints, {schema}.writes,
    {schema}.reflog IN SHARE ROW EXCLUSIVE MODE;
