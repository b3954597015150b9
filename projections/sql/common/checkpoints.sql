-- name: latest_checkpoint
SELECT c.namespace, c.checkpoint_id, c.version,
    CASE WHEN c.orphaned_at IS NULL OR c.orphaned_at > :upto THEN c.parent_id END, e.payload, e.recorded_at
FROM {schema}.checkpoints c JOIN {schema}.events e ON e.stream_id = c.origin_id AND e.version = c.version
WHERE c.branch_id = :branch_id AND c.namespace = :namespace AND c.shown_from <= :upto AND c.checkpoint_id <= :last_id
    AND (c.retired_at IS NULL OR c.retired_at > :upto)
ORDER BY c.checkpoint_id DESC LIMIT 1;

-- name: latest_id
SELECT checkpoint_id FROM {schema}.checkpoints
WHERE branch_id = :branch_id AND namespace = :namespace AND shown_from <= :upto AND checkpoint_id <= :last_id
    AND (retired_at IS NULL OR retired_at > :upto)
ORDER BY checkpoint_id DESC LIMIT 1;

-- name: one_checkpoint
SELECT c.namespace, c.checkpoint_id, c.version,
    CASE WHEN c.orphaned_at IS NULL OR c.orphaned_at > :upto THEN c.parent_id END, e.payload, e.recorded_at
FROM {schema}.checkpoints c JOIN {schema}.events e ON e.stream_id = c.origin_id AND e.version = c.version
WHERE c.branch_id = :branch_id AND c.namespace = :namespace AND c.checkpoint_id = :checkpoint_id AND c.shown_from <= :upto
    AND c.checkpoint_id <= :last_id AND (c.retired_at IS NULL OR c.retired_at > :upto);

-- name: one_checkpoint_or_retired
-- What a DeltaChannel replays through may be shown no longer.
SELECT c.namespace, c.checkpoint_id, c.version,
    CASE WHEN c.orphaned_at IS NULL OR c.orphaned_at > :upto THEN c.parent_id END, e.payload, e.recorded_at
FROM {schema}.checkpoints c JOIN {schema}.events e ON e.stream_id = c.origin_id AND e.version = c.version
WHERE c.branch_id = :branch_id AND c.namespace = :namespace AND c.checkpoint_id = :checkpoint_id AND c.shown_from <= :upto
    AND c.checkpoint_id <= :last_id
ORDER BY c.shown_from DESC LIMIT 1;

-- name: way
-- A page of a checkpoint and its ancestors, with their depths, as far as the branch has them. If `retired` is 1, the way
-- goes by the parents that the log names, through rows that are shown no longer; of several the last one counts.
WITH RECURSIVE way (depth, checkpoint_id, version, origin_id, shown_parent, next_id) AS (
    SELECT 1, nearest.* FROM (
        SELECT c.checkpoint_id, c.version, c.origin_id,
            CASE WHEN c.orphaned_at IS NULL OR c.orphaned_at > :upto THEN c.parent_id END,
            CASE WHEN :retired = 1 OR c.orphaned_at IS NULL OR c.orphaned_at > :upto THEN c.parent_id END
        FROM {schema}.checkpoints c
        WHERE c.branch_id = :branch_id AND c.namespace = :namespace AND c.checkpoint_id = :checkpoint_id
            AND c.shown_from <= :upto AND c.checkpoint_id <= :last_id
            AND (:retired = 1 OR c.retired_at IS NULL OR c.retired_at > :upto)
        ORDER BY c.shown_from DESC LIMIT 1
    ) AS nearest
    UNION ALL
    SELECT way.depth + 1, c.checkpoint_id, c.version, c.origin_id,
        CASE WHEN c.orphaned_at IS NULL OR c.orphaned_at > :upto THEN c.parent_id END,
        CASE WHEN :retired = 1 OR c.orphaned_at IS NULL OR c.orphaned_at > :upto THEN c.parent_id END
    FROM way
    JOIN {schema}.checkpoints c ON c.branch_id = :branch_id AND c.namespace = :namespace
        AND c.checkpoint_id = way.next_id AND c.shown_from <= :upto AND c.checkpoint_id <= :last_id
        AND (:retired = 1 OR c.retired_at IS NULL OR c.retired_at > :upto)
    WHERE way.depth < :limit AND NOT EXISTS (
        SELECT 1 FROM {schema}.checkpoints later
        WHERE later.branch_id = :branch_id AND later.namespace = :namespace AND later.checkpoint_id = c.checkpoint_id
            AND later.shown_from > c.shown_from AND later.shown_from <= :upto AND :retired = 1
    )
)
SELECT way.depth, way.checkpoint_id, way.version, way.shown_parent, e.payload, e.recorded_at
FROM way JOIN {schema}.events e ON e.stream_id = way.origin_id AND e.version = way.version;

-- name: page_of_namespace
SELECT c.namespace, c.checkpoint_id, c.version,
    CASE WHEN c.orphaned_at IS NULL OR c.orphaned_at > :upto THEN c.parent_id END, e.payload, e.recorded_at
FROM {schema}.checkpoints c JOIN {schema}.events e ON e.stream_id = c.origin_id AND e.version = c.version
WHERE c.branch_id = :branch_id AND c.namespace = :namespace AND c.checkpoint_id < :before AND c.shown_from <= :upto AND c.checkpoint_id <= :last_id
    AND (c.retired_at IS NULL OR c.retired_at > :upto)
ORDER BY c.checkpoint_id DESC LIMIT :limit;

-- name: namespaces_of_thread
-- Each namespace of a stream, with the latest id in it: looked up one by one in the primary key, so that it costs as
-- much as there are namespaces, however many checkpoints these have.
WITH RECURSIVE spaces (namespace) AS (
    SELECT min(namespace) FROM {schema}.checkpoints WHERE branch_id = :branch_id
    UNION ALL
    SELECT (SELECT min(c.namespace) FROM {schema}.checkpoints c WHERE c.branch_id = :branch_id AND c.namespace > spaces.namespace)
    FROM spaces WHERE namespace IS NOT NULL
), latest (checkpoint_id, namespace) AS (
    SELECT (
        SELECT max(c.checkpoint_id) FROM {schema}.checkpoints c
        WHERE c.branch_id = :branch_id AND c.namespace = spaces.namespace AND c.checkpoint_id < :before
            AND c.checkpoint_id <= :last_id
    ), namespace
    FROM spaces WHERE namespace IS NOT NULL
)
SELECT checkpoint_id, namespace FROM latest WHERE checkpoint_id IS NOT NULL;

-- name: rows_of_subgraphs
-- What a branch shows of the namespaces in a range, behind a checkpoint: what subgraphs saved that were called from there.
SELECT c.namespace, c.checkpoint_id, c.version,
    CASE WHEN c.orphaned_at IS NULL OR c.orphaned_at > :upto THEN c.parent_id END, e.payload, e.recorded_at
FROM {schema}.checkpoints c JOIN {schema}.events e ON e.stream_id = c.origin_id AND e.version = c.version
WHERE c.branch_id = :branch_id AND c.namespace >= :first_namespace AND c.namespace < :past_namespace
    AND c.checkpoint_id > :after AND c.checkpoint_id <= :last_id
    AND c.shown_from <= :upto AND (c.retired_at IS NULL OR c.retired_at > :upto)
ORDER BY c.namespace, c.checkpoint_id;

-- name: checkpoints_of_branch
-- All rows of a branch, also those that are retired; of one checkpoint the latest is the last.
SELECT namespace, checkpoint_id, version, shown_from, parent_id, run_id, retired_at, origin_id
FROM {schema}.checkpoints WHERE branch_id = :branch_id AND shown_from <= :upto AND checkpoint_id <= :last_id
ORDER BY namespace, checkpoint_id, shown_from;

-- name: shown_from
-- Since when a branch shows a checkpoint.
SELECT shown_from FROM {schema}.checkpoints
WHERE branch_id = :branch_id AND namespace = :namespace AND checkpoint_id = :checkpoint_id AND shown_from <= :upto
    AND checkpoint_id <= :last_id AND (retired_at IS NULL OR retired_at > :upto);

-- name: is_saved
-- Whether any thread has saved a checkpoint: ids are made to be unique.
SELECT 1 FROM {schema}.checkpoints WHERE checkpoint_id = :checkpoint_id AND namespace = :namespace LIMIT 1;

-- name: namespaces_of
-- The namespaces in which any thread has saved a checkpoint.
SELECT DISTINCT namespace FROM {schema}.checkpoints WHERE checkpoint_id = :checkpoint_id ORDER BY namespace;

-- name: unreachable
-- Where a checkpoint stands on branches that its thread has left since it was pruned last; also what these go on from in
-- other threads.
SELECT b.left_at, c.shown_from, b.branch_id, b.since
FROM {schema}.branches b JOIN {schema}.checkpoints c ON c.branch_id = b.branch_id
WHERE b.stream_id = :stream_id AND b.left_at > (
        SELECT coalesce(max(version), 0) FROM {schema}.reflog WHERE stream_id = :stream_id AND topic = 'thread.pruned'
    )
    AND c.namespace = :namespace AND c.checkpoint_id = :checkpoint_id AND c.retired_at IS NULL
UNION ALL
SELECT b.left_at, c.shown_from, b.branch_id, b.since
FROM {schema}.branches b
JOIN {schema}.sources v ON v.branch_id = b.branch_id
JOIN {schema}.checkpoints c ON c.branch_id = v.source_id
WHERE b.stream_id = :stream_id AND b.left_at > (
        SELECT coalesce(max(version), 0) FROM {schema}.reflog WHERE stream_id = :stream_id AND topic = 'thread.pruned'
    )
    AND v.cut_at IS NULL AND (v.last_id IS NULL OR c.checkpoint_id <= v.last_id)
    AND NOT EXISTS (SELECT 1 FROM {schema}.branches o WHERE o.branch_id = v.source_id AND o.stream_id = :stream_id)
    AND c.namespace = :namespace AND c.checkpoint_id = :checkpoint_id
    AND c.shown_from <= v.upto AND (c.retired_at IS NULL OR c.retired_at > v.upto);

-- name: orphans_of_branch
-- The rows of a branch whose parents are shown no longer.
SELECT namespace, checkpoint_id, version, parent_id FROM {schema}.checkpoints
WHERE branch_id = :branch_id AND shown_from <= :upto AND orphaned_at <= :upto;

-- name: rows_past
-- Where rows lead that say of themselves that they were made after a version.
SELECT shown_from FROM {schema}.checkpoints WHERE branch_id = :branch_id AND shown_from > :after
UNION SELECT version FROM {schema}.writes WHERE branch_id = :branch_id AND version > :after;

-- name: retire_checkpoint
-- What was retired before is retired from an earlier version on, if that is asked for: from forks, too.
UPDATE {schema}.checkpoints SET retired_at = :retired_at
WHERE branch_id = :branch_id AND namespace = :namespace AND checkpoint_id = :checkpoint_id
    AND shown_from = :shown_from AND (retired_at IS NULL OR retired_at > :retired_at);

-- name: drop_checkpoint
DELETE FROM {schema}.checkpoints
WHERE branch_id = :branch_id AND namespace = :namespace AND checkpoint_id = :checkpoint_id
    AND shown_from = :shown_from;

-- name: orphan_checkpoint
-- Its parent is shown no longer.
UPDATE {schema}.checkpoints SET orphaned_at = :orphaned_at
WHERE branch_id = :branch_id AND namespace = :namespace AND checkpoint_id = :checkpoint_id
    AND shown_from = :shown_from AND (orphaned_at IS NULL OR orphaned_at > :orphaned_at);

-- name: drop_checkpoints_after
DELETE FROM {schema}.checkpoints WHERE branch_id = :branch_id AND shown_from > :after;

-- name: clear_checkpoints
DELETE FROM {schema}.checkpoints;
