-- name: thread_view
-- The thread's stream, whether it is a fork, the branch that it is on, its last version, and which others' rows it shows.
SELECT s.stream_id, s.parent_id IS NOT NULL, b.branch_id, b.since,
    (SELECT max(h.version) FROM {schema}.events h WHERE h.stream_id = s.stream_id),
    (SELECT json_agg(json_build_array(v.source_id, v.upto, v.last_id))
     FROM {schema}.sources v WHERE v.branch_id = b.branch_id AND v.cut_at IS NULL)
FROM {schema}.streams s
JOIN {schema}.branches b ON b.stream_id = s.stream_id AND b.left_at IS NULL
WHERE s.name = :name AND NOT s.closed;

-- name: thread_at
-- The same, with one checkpoint of the branch itself, or the latest of a namespace, if the branch has it.
SELECT s.stream_id, s.parent_id IS NOT NULL, b.branch_id, b.since,
    (SELECT max(h.version) FROM {schema}.events h WHERE h.stream_id = s.stream_id),
    (SELECT json_agg(json_build_array(v.source_id, v.upto, v.last_id))
     FROM {schema}.sources v WHERE v.branch_id = b.branch_id AND v.cut_at IS NULL),
    c.namespace, c.checkpoint_id, c.version, CASE WHEN c.orphaned_at IS NULL THEN c.parent_id END,
    e.payload, e.recorded_at
FROM {schema}.streams s
JOIN {schema}.branches b ON b.stream_id = s.stream_id AND b.left_at IS NULL
LEFT JOIN {schema}.checkpoints c ON c.branch_id = b.branch_id AND c.namespace = :namespace AND c.retired_at IS NULL
    AND c.checkpoint_id = coalesce(:checkpoint_id::text, (
        SELECT latest.checkpoint_id FROM {schema}.checkpoints latest
        WHERE latest.branch_id = b.branch_id AND latest.namespace = :namespace AND latest.retired_at IS NULL
        ORDER BY latest.checkpoint_id DESC LIMIT 1
    ))
LEFT JOIN {schema}.events e ON e.stream_id = c.origin_id AND e.version = c.version
WHERE s.name = :name AND NOT s.closed;

-- name: forks_that_show
-- A page of the branches that go on from another, and whether each shows one of its rows: the row was shown where the branch
-- began, and neither the branch itself nor a nearer one has saved the checkpoint again. All branches of the page are returned, so
-- that it is found without a look at the others; OFFSET 0 keeps the planner from reading all threads for a
-- page of forks.
SELECT v.branch_id, s.name, v.upto,
    NOT s.closed AND b.left_at IS NULL AND v.upto >= :shown_from AND v.upto < :retired_at
    AND (v.last_id IS NULL OR v.last_id >= :checkpoint_id)
    AND NOT EXISTS (
        SELECT 1 FROM {schema}.checkpoints c
        WHERE c.branch_id = v.branch_id AND c.namespace = :namespace AND c.checkpoint_id = :checkpoint_id
            AND c.retired_at IS NULL OFFSET 0
    )
    AND NOT EXISTS (
        SELECT 1 FROM {schema}.sources n JOIN {schema}.checkpoints c ON c.branch_id = n.source_id
        WHERE n.branch_id = v.branch_id AND n.upto > v.upto AND n.cut_at IS NULL
            AND (n.last_id IS NULL OR n.last_id >= :checkpoint_id)
            AND c.namespace = :namespace AND c.checkpoint_id = :checkpoint_id
            AND c.shown_from <= n.upto AND (c.retired_at IS NULL OR c.retired_at > n.upto) OFFSET 0
    )
FROM (
    SELECT branch_id, upto, last_id FROM {schema}.sources WHERE source_id = :branch_id AND branch_id < :before_branch AND cut_at IS NULL
    ORDER BY branch_id DESC LIMIT :limit
) v
CROSS JOIN LATERAL (SELECT stream_id, left_at FROM {schema}.branches WHERE branch_id = v.branch_id OFFSET 0) b
CROSS JOIN LATERAL (SELECT name, closed FROM {schema}.streams WHERE stream_id = b.stream_id OFFSET 0) s;

-- name: inherit_sources
-- A branch goes on from what another showed at a version, or, there, from what it showed at a checkpoint.
INSERT INTO {schema}.sources (branch_id, source_id, upto, last_id)
SELECT :branch_id::bigint, source_id, least(upto, :upto::bigint), least(last_id, :last_id::text COLLATE "C") FROM {schema}.sources
WHERE branch_id = :source_id::bigint AND (cut_at IS NULL OR cut_at > :upto::bigint)
UNION ALL
SELECT :branch_id::bigint, :source_id::bigint, :upto::bigint, :last_id::text;
