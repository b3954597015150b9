-- name: thread_view
-- The thread's stream, whether it is a fork, the line that it is on, and which others' rows it shows besides.
SELECT s.stream_id, s.parent_id IS NOT NULL, coalesce(l.line_id, s.stream_id), v.source_id, v.upto, v.last_id
FROM streams s
LEFT JOIN lines l ON l.stream_id = s.stream_id AND l.left_at IS NULL
LEFT JOIN sources v ON v.line_id = coalesce(l.line_id, s.stream_id) AND v.cut_at IS NULL
WHERE s.name = :name AND s.closed = 0;

-- name: latest_checkpoint
SELECT c.namespace, c.checkpoint_id, c.version,
    CASE WHEN c.orphaned_at IS NULL OR c.orphaned_at > :upto THEN c.parent_id END, e.payload, e.recorded_at
FROM checkpoints c JOIN events e ON e.stream_id = c.origin_id AND e.version = c.version
WHERE c.line_id = :line_id AND c.namespace = :namespace AND c.shown_from <= :upto AND c.checkpoint_id <= :last_id
    AND (c.retired_at IS NULL OR c.retired_at > :upto)
ORDER BY c.checkpoint_id DESC LIMIT 1;

-- name: latest_id
SELECT checkpoint_id FROM checkpoints
WHERE line_id = :line_id AND namespace = :namespace AND shown_from <= :upto AND checkpoint_id <= :last_id
    AND (retired_at IS NULL OR retired_at > :upto)
ORDER BY checkpoint_id DESC LIMIT 1;

-- name: one_checkpoint
SELECT c.namespace, c.checkpoint_id, c.version,
    CASE WHEN c.orphaned_at IS NULL OR c.orphaned_at > :upto THEN c.parent_id END, e.payload, e.recorded_at
FROM checkpoints c JOIN events e ON e.stream_id = c.origin_id AND e.version = c.version
WHERE c.line_id = :line_id AND c.namespace = :namespace AND c.checkpoint_id = :checkpoint_id AND c.shown_from <= :upto
    AND c.checkpoint_id <= :last_id AND (c.retired_at IS NULL OR c.retired_at > :upto);

-- name: one_checkpoint_or_retired
-- What a DeltaChannel replays through may be shown no longer.
SELECT c.namespace, c.checkpoint_id, c.version,
    CASE WHEN c.orphaned_at IS NULL OR c.orphaned_at > :upto THEN c.parent_id END, e.payload, e.recorded_at
FROM checkpoints c JOIN events e ON e.stream_id = c.origin_id AND e.version = c.version
WHERE c.line_id = :line_id AND c.namespace = :namespace AND c.checkpoint_id = :checkpoint_id AND c.shown_from <= :upto
    AND c.checkpoint_id <= :last_id
ORDER BY c.shown_from DESC LIMIT 1;

-- name: page_of_namespace
SELECT c.namespace, c.checkpoint_id, c.version,
    CASE WHEN c.orphaned_at IS NULL OR c.orphaned_at > :upto THEN c.parent_id END, e.payload, e.recorded_at
FROM checkpoints c JOIN events e ON e.stream_id = c.origin_id AND e.version = c.version
WHERE c.line_id = :line_id AND c.namespace = :namespace AND c.checkpoint_id < :before AND c.shown_from <= :upto AND c.checkpoint_id <= :last_id
    AND (c.retired_at IS NULL OR c.retired_at > :upto)
ORDER BY c.checkpoint_id DESC LIMIT :limit;

-- name: namespaces_of_thread
-- Each namespace of a stream, with the latest id in it: looked up one by one in the primary key, so that it costs as
-- much as there are namespaces, however many checkpoints these have.
WITH RECURSIVE spaces (namespace) AS (
    SELECT min(namespace) FROM checkpoints WHERE line_id = :line_id
    UNION ALL
    SELECT (SELECT min(c.namespace) FROM checkpoints c WHERE c.line_id = :line_id AND c.namespace > spaces.namespace)
    FROM spaces WHERE namespace IS NOT NULL
), latest (checkpoint_id, namespace) AS (
    SELECT (
        SELECT max(c.checkpoint_id) FROM checkpoints c
        WHERE c.line_id = :line_id AND c.namespace = spaces.namespace AND c.checkpoint_id < :before
            AND c.checkpoint_id <= :last_id
    ), namespace
    FROM spaces WHERE namespace IS NOT NULL
)
SELECT checkpoint_id, namespace FROM latest WHERE checkpoint_id IS NOT NULL;

-- name: page_of_store
-- The checkpoints that any thread shows, the newest first: whether the thread that saved it does, and whether forks may.
SELECT s.name, c.line_id, s.parent_id IS NOT NULL OR l.line_id IS NOT NULL,
    s.closed = 0 AND l.left_at IS NULL AND c.retired_at IS NULL,
    EXISTS (SELECT 1 FROM sources v WHERE v.source_id = c.line_id AND v.cut_at IS NULL),
    c.shown_from, c.retired_at, c.orphaned_at,
    c.namespace, c.checkpoint_id, c.version, c.parent_id, e.payload, e.recorded_at
FROM checkpoints c
LEFT JOIN lines l ON l.line_id = c.line_id
JOIN streams s ON s.stream_id = coalesce(l.stream_id, c.line_id)
JOIN events e ON e.stream_id = c.origin_id AND e.version = c.version
WHERE (c.checkpoint_id, c.namespace, c.line_id, c.shown_from)
        < (:before, :before_namespace, :before_line, :before_shown_from)
    AND (
        (s.closed = 0 AND l.left_at IS NULL AND c.retired_at IS NULL)
        OR EXISTS (SELECT 1 FROM sources v WHERE v.source_id = c.line_id AND v.cut_at IS NULL)
    )
ORDER BY c.checkpoint_id DESC, c.namespace DESC, c.line_id DESC, c.shown_from DESC LIMIT :limit;

-- name: forks_that_show
-- A page of the lines that go on from another, and whether each shows one of its rows: the row was shown where the line
-- began, and neither the line itself nor a nearer one has saved the checkpoint again. All lines of the page are returned, so
-- that it is found without a look at the others.
SELECT v.line_id, s.name, v.upto,
    s.closed = 0 AND l.left_at IS NULL AND v.upto >= :shown_from AND v.upto < :retired_at
    AND (v.last_id IS NULL OR v.last_id >= :checkpoint_id)
    AND NOT EXISTS (
        SELECT 1 FROM checkpoints c
        WHERE c.line_id = v.line_id AND c.namespace = :namespace AND c.checkpoint_id = :checkpoint_id
            AND c.retired_at IS NULL
    )
    AND NOT EXISTS (
        SELECT 1 FROM sources n JOIN checkpoints c ON c.line_id = n.source_id
        WHERE n.line_id = v.line_id AND n.upto > v.upto AND n.cut_at IS NULL
            AND (n.last_id IS NULL OR n.last_id >= :checkpoint_id)
            AND c.namespace = :namespace AND c.checkpoint_id = :checkpoint_id
            AND c.shown_from <= n.upto AND (c.retired_at IS NULL OR c.retired_at > n.upto)
    )
FROM (
    SELECT line_id, upto, last_id FROM sources WHERE source_id = :line_id AND line_id < :before_line AND cut_at IS NULL
    ORDER BY line_id DESC LIMIT :limit
) v
LEFT JOIN lines l ON l.line_id = v.line_id
JOIN streams s ON s.stream_id = coalesce(l.stream_id, v.line_id);

-- name: writes_of
-- Of the checkpoint that a line goes on from, and of those saved behind it, nothing is gone on from: the line has taken
-- over what stays of it. What waits for a checkpoint that is not saved yet goes on waiting.
SELECT w.checkpoint_id, w.version FROM writes w
WHERE w.line_id = :line_id AND w.namespace = :namespace AND w.checkpoint_id IN (SELECT value FROM json_each(:checkpoint_ids))
    AND w.version <= :upto
    AND (w.checkpoint_id < :last_id OR NOT EXISTS (
        SELECT 1 FROM checkpoints c
        WHERE c.line_id = w.line_id AND c.namespace = w.namespace AND c.checkpoint_id = w.checkpoint_id
            AND c.shown_from <= :upto
    ));

-- name: taken_over
-- Which checkpoints a line has taken over from those that it goes on from, with the writes that stay of them.
SELECT namespace, checkpoint_id FROM checkpoints
WHERE line_id = :line_id AND namespace = :namespace AND checkpoint_id IN (SELECT value FROM json_each(:checkpoint_ids))
    AND shown_from <= :upto AND shown_from <> version;

-- name: replace_checkpoint
-- A checkpoint that is saved again is shown as it was by forks from before only. (A stream without lines has one, of
-- its own number.)
UPDATE checkpoints SET retired_at = :event_version
WHERE line_id = coalesce((SELECT line_id FROM lines WHERE stream_id = :stream_id AND left_at IS NULL), :stream_id)
    AND namespace = :namespace AND checkpoint_id = :checkpoint_id AND retired_at IS NULL;

-- name: save_checkpoint
-- On the line that the thread is on.
INSERT INTO checkpoints (
    line_id, namespace, checkpoint_id, version, shown_from, origin_id, parent_id, run_id
)
VALUES (
    coalesce((SELECT line_id FROM lines WHERE stream_id = :stream_id AND left_at IS NULL), :stream_id),
    :namespace, :checkpoint_id, :event_version, :event_version, :stream_id, :parent_id, :run_id
);

-- name: restore_checkpoint
-- The same, when the row is made again from the log.
INSERT INTO checkpoints (
    line_id, namespace, checkpoint_id, version, shown_from, origin_id, parent_id, run_id
)
VALUES (
    :line_id, :namespace, :checkpoint_id, :event_version, :event_version, :stream_id, :parent_id, :run_id
);

-- name: restore_replaced
UPDATE checkpoints SET retired_at = :event_version
WHERE line_id = :line_id AND namespace = :namespace AND checkpoint_id = :checkpoint_id AND retired_at IS NULL;

-- name: save_writes
INSERT INTO writes (line_id, namespace, checkpoint_id, version)
VALUES (
    coalesce((SELECT line_id FROM lines WHERE stream_id = :stream_id AND left_at IS NULL), :stream_id),
    :namespace, :checkpoint_id, :event_version
);

-- name: sources_of_line
SELECT source_id, upto, last_id FROM sources WHERE line_id = :line_id AND (cut_at IS NULL OR cut_at > :version);

-- name: lines_of_stream
-- The lines of a stream; none: it has one, of its own number.
SELECT line_id, since, left_at FROM lines WHERE stream_id = :stream_id;

-- name: line_at
-- The line that a thread was on when its stream was at a version; none: its first.
SELECT l.line_id FROM moves m JOIN lines l ON l.stream_id = m.stream_id AND l.since = m.line_since
WHERE m.stream_id = :stream_id AND m.version <= :version AND m.line_since IS NOT NULL
ORDER BY m.version DESC LIMIT 1;

-- name: note_first_line
INSERT INTO lines (line_id, stream_id, since) VALUES (:stream_id, :stream_id, 0)
ON CONFLICT (line_id) DO NOTHING;

-- name: leave_line
UPDATE lines SET left_at = :event_version WHERE stream_id = :stream_id AND left_at IS NULL RETURNING since;

-- name: begin_line
-- Lines that begin with a move have negative numbers: the others have those of their streams.
INSERT INTO lines (line_id, stream_id, since)
VALUES ((SELECT coalesce(min(line_id), 0) - 1 FROM lines WHERE line_id < 0), :stream_id, :event_version)
RETURNING line_id;

-- name: return_to_line
UPDATE lines SET left_at = NULL WHERE stream_id = :stream_id AND since = :since;

-- name: note_move
INSERT INTO moves (stream_id, version, topic, left_since, line_since, undoes)
VALUES (:stream_id, :event_version, :topic, :left_since, :line_since, :undoes);

-- name: moves_of_stream
SELECT version, topic, left_since, line_since, undoes FROM moves WHERE stream_id = :stream_id;

-- name: moved_since
-- Whether a thread has moved to another line, or has forgotten something, after a version.
SELECT 1 FROM moves WHERE stream_id = :stream_id AND version > :after LIMIT 1;

-- name: pruned_at
-- The version at which a thread was pruned last: of what it showed before, only what it kept is left.
SELECT coalesce(max(version), 0) FROM moves WHERE stream_id = :stream_id AND topic = 'thread.pruned' AND version <= :upto;

-- name: metadata_of_stream
SELECT metadata FROM streams WHERE stream_id = :stream_id;

-- name: family_of_stream
-- A stream that was forked from none, and all that descend from it.
SELECT stream_id, name, closed, parent_id, metadata FROM streams
WHERE stream_id = :root_id OR stream_id IN (SELECT stream_id FROM lineage WHERE ancestor_id = :root_id);

-- name: saved_anywhere
-- Whether any thread has saved a checkpoint: ids are made to be unique.
SELECT 1 FROM checkpoints WHERE checkpoint_id = :checkpoint_id AND namespace = :namespace LIMIT 1;

-- name: set_aside
-- Where a checkpoint stands on lines that its thread has left since it was pruned last; also what these go on from in
-- other threads.
SELECT l.left_at, c.shown_from, l.line_id, l.since
FROM lines l JOIN checkpoints c ON c.line_id = l.line_id
WHERE l.stream_id = :stream_id AND l.left_at > (
        SELECT coalesce(max(version), 0) FROM moves WHERE stream_id = :stream_id AND topic = 'thread.pruned'
    )
    AND c.namespace = :namespace AND c.checkpoint_id = :checkpoint_id AND c.retired_at IS NULL
UNION ALL
SELECT l.left_at, c.shown_from, l.line_id, l.since
FROM lines l
JOIN sources v ON v.line_id = l.line_id
JOIN checkpoints c ON c.line_id = v.source_id
WHERE l.stream_id = :stream_id AND l.left_at > (
        SELECT coalesce(max(version), 0) FROM moves WHERE stream_id = :stream_id AND topic = 'thread.pruned'
    )
    AND v.cut_at IS NULL AND (v.last_id IS NULL OR c.checkpoint_id <= v.last_id)
    AND NOT EXISTS (SELECT 1 FROM lines o WHERE o.line_id = v.source_id AND o.stream_id = :stream_id)
    AND c.namespace = :namespace AND c.checkpoint_id = :checkpoint_id
    AND c.shown_from <= v.upto AND (c.retired_at IS NULL OR c.retired_at > v.upto);

-- name: place_of_checkpoint
-- Since when a line shows a checkpoint.
SELECT shown_from FROM checkpoints
WHERE line_id = :line_id AND namespace = :namespace AND checkpoint_id = :checkpoint_id AND shown_from <= :upto
    AND checkpoint_id <= :last_id AND (retired_at IS NULL OR retired_at > :upto);

-- name: inherit_sources
-- A line goes on from what another showed at a version, or, there, from what it showed at a checkpoint.
INSERT INTO sources (line_id, source_id, upto, last_id)
SELECT :line_id, source_id, min(upto, :upto), min(coalesce(last_id, :last_id), coalesce(:last_id, last_id)) FROM sources
WHERE line_id = :source_id AND (cut_at IS NULL OR cut_at > :upto)
UNION ALL
SELECT :line_id, :source_id, :upto, :last_id;

-- name: cut_sources
-- A line that is pruned goes on from no other any more; what it showed before can be asked for still.
UPDATE sources SET cut_at = :cut_at WHERE line_id = :line_id AND cut_at IS NULL;

-- name: drop_sources
-- Of a deleted thread that nobody goes on from.
DELETE FROM sources WHERE line_id = :line_id;

-- name: rows_of_line
-- All rows of a line, also those that are retired; of one checkpoint the latest is the last.
SELECT namespace, checkpoint_id, version, shown_from, parent_id, run_id, retired_at
FROM checkpoints WHERE line_id = :line_id AND shown_from <= :upto AND checkpoint_id <= :last_id
ORDER BY namespace, checkpoint_id, shown_from;

-- name: writes_of_line
-- The writes of one checkpoint in their order: see `writes_of`.
SELECT w.namespace, w.checkpoint_id, w.version FROM writes w
WHERE w.line_id = :line_id AND w.version <= :upto
    AND (w.checkpoint_id < :last_id OR NOT EXISTS (
        SELECT 1 FROM checkpoints c
        WHERE c.line_id = w.line_id AND c.namespace = w.namespace AND c.checkpoint_id = w.checkpoint_id
            AND c.shown_from <= :upto
    ))
ORDER BY w.namespace, w.checkpoint_id, w.version;

-- name: adopt_checkpoint
-- A line takes over a checkpoint of those that it goes on from, or went on from until it was pruned. The event stays where it is.
INSERT INTO checkpoints (line_id, namespace, checkpoint_id, version, shown_from, origin_id, parent_id, run_id, retired_at)
SELECT :line_id, :namespace, :checkpoint_id, :event_version, :shown_from, coalesce(
    (SELECT l.ancestor_id FROM lineage l
     WHERE l.stream_id = :stream_id AND l.upto >= :event_version ORDER BY l.upto LIMIT 1),
    :stream_id
),
    :parent_id, :run_id, :retired_at
WHERE true
ON CONFLICT (line_id, namespace, checkpoint_id, shown_from) DO NOTHING;

-- name: adopt_writes
INSERT INTO writes (line_id, namespace, checkpoint_id, version)
VALUES (:line_id, :namespace, :checkpoint_id, :event_version)
ON CONFLICT (line_id, namespace, checkpoint_id, version) DO NOTHING;

-- name: retire_checkpoint
-- What was retired before is retired from an earlier version on, if that is asked for: from forks, too.
UPDATE checkpoints SET retired_at = :retired_at
WHERE line_id = :line_id AND namespace = :namespace AND checkpoint_id = :checkpoint_id
    AND shown_from = :shown_from AND (retired_at IS NULL OR retired_at > :retired_at);

-- name: drop_checkpoint
DELETE FROM checkpoints
WHERE line_id = :line_id AND namespace = :namespace AND checkpoint_id = :checkpoint_id
    AND shown_from = :shown_from;

-- name: drop_writes
-- But for those that forks show.
DELETE FROM writes
WHERE line_id = :line_id AND namespace = :namespace AND checkpoint_id = :checkpoint_id AND version > :pinned;

-- name: orphan_checkpoint
-- Its parent is shown no longer.
UPDATE checkpoints SET orphaned_at = :orphaned_at
WHERE line_id = :line_id AND namespace = :namespace AND checkpoint_id = :checkpoint_id
    AND shown_from = :shown_from AND (orphaned_at IS NULL OR orphaned_at > :orphaned_at);

-- name: orphan_in_forks
-- Of what forks saved on checkpoints that no thread shows any longer.
UPDATE checkpoints SET orphaned_at = 0
WHERE namespace = :namespace AND parent_id IN (SELECT value FROM json_each(:checkpoint_ids)) AND (orphaned_at IS NULL OR orphaned_at > 0)
    AND line_id IN (SELECT line_id FROM sources WHERE source_id = :line_id AND cut_at IS NULL);

-- name: drop_checkpoints_after
DELETE FROM checkpoints WHERE line_id = :line_id AND shown_from > :after;

-- name: drop_writes_after
DELETE FROM writes WHERE line_id = :line_id AND version > :after;

-- name: drop_writes_at
-- Of a stream's events whose content is erased: also what came when its checkpoint was hidden already.
DELETE FROM writes
WHERE line_id IN (SELECT line_id FROM lines WHERE stream_id = :stream_id UNION ALL SELECT :stream_id)
    AND version IN (SELECT value FROM json_each(:versions));

-- name: drop_erased_writes
-- The same, when the rows are made again from the log.
DELETE FROM writes AS w WHERE EXISTS (
    SELECT 1 FROM events e
    WHERE e.stream_id = coalesce((SELECT l.stream_id FROM lines l WHERE l.line_id = w.line_id), w.line_id)
        AND e.version = w.version AND substr(e.payload, 1, 2) = x'0108'
);

-- name: streams_of_runs
SELECT DISTINCT s.stream_id, s.name, s.closed
FROM checkpoints c
LEFT JOIN lines l ON l.line_id = c.line_id
JOIN streams s ON s.stream_id = coalesce(l.stream_id, c.line_id)
WHERE c.run_id IN (SELECT value FROM json_each(:run_ids));

-- name: content_sizes
-- The events of a stream that hold content which can be erased, with their stored bytes.
SELECT version, length(payload) FROM events
WHERE stream_id = :stream_id AND version > :after AND topic IN ('checkpoint.saved', 'writes.saved')
    AND substr(payload, 1, 2) <> x'0108';

-- name: erase_events
-- Leaves the digest by which the event takes part in the hash chain: see `eventstore.envelope`.
UPDATE events SET payload = erased(payload)
WHERE stream_id = :stream_id AND version IN (SELECT value FROM json_each(:versions)) AND substr(payload, 1, 2) <> x'0108';

-- name: erase_content_after
UPDATE events SET payload = erased(payload)
WHERE stream_id = :stream_id AND version > :after AND topic IN ('checkpoint.saved', 'writes.saved')
    AND substr(payload, 1, 2) <> x'0108';

-- name: closed_ancestors
-- The ancestors of a stream that are closed: only forks keep their content alive.
SELECT l.ancestor_id FROM lineage l JOIN streams s ON s.stream_id = l.ancestor_id
WHERE l.stream_id = :stream_id AND s.closed = 1;

-- name: lock_rows
-- While the rows are made anew nobody adds to them. Here the one writer at a time sees to that.
SELECT 1;

-- name: forget_checkpoints
DELETE FROM checkpoints;

-- name: forget_writes
DELETE FROM writes;

-- name: forget_sources
DELETE FROM sources;

-- name: forget_moves
DELETE FROM moves;

-- name: forget_lines
DELETE FROM lines;

-- name: feed_of_threads
-- All that this projection is made of, in the order of the log.
SELECT e.position, e.stream_id, e.version, e.topic, e.payload, s.parent_id, s.parent_version
FROM events e JOIN streams s USING (stream_id)
WHERE e.position > :after ORDER BY e.position LIMIT :limit;

-- name: rest_of_threads
-- What has no place in the feed yet; here everything has one.
SELECT 0, stream_id, version, topic, payload, stream_id, version FROM events WHERE false;

-- name: segments_at
-- The segments that end at some versions of a stream.
SELECT version, channel, level, change FROM segments
WHERE stream_id = :stream_id AND version IN (SELECT value FROM json_each(:versions));

-- name: save_segment
INSERT INTO segments (stream_id, version, channel, level, change)
VALUES (:stream_id, :event_version, :channel, :level, :change);

-- name: restore_segment
-- The same, when it is made again from the log.
INSERT INTO segments (stream_id, version, channel, level, change)
VALUES (:stream_id, :event_version, :channel, :level, :change)
ON CONFLICT (stream_id, version, channel, level) DO NOTHING;

-- name: drop_segments
-- Of events whose content is erased: nothing of it may be left in what it was merged into.
DELETE FROM segments WHERE stream_id = :stream_id AND version IN (SELECT value FROM json_each(:versions));

-- name: drop_segments_after
DELETE FROM segments WHERE stream_id = :stream_id AND version > :after;

-- name: forget_segments
DELETE FROM segments;

-- name: checkpoints_of_streams
-- The events that segments are made from, in the order of the log.
SELECT stream_id, version, payload FROM events
WHERE topic = 'checkpoint.saved' AND (stream_id, version) > (:stream_id, :version)
ORDER BY stream_id, version LIMIT :limit;

-- name: rows_of_subgraphs
-- What a line shows of the namespaces in a range, behind a checkpoint: what subgraphs saved that were called from there.
SELECT c.namespace, c.checkpoint_id, c.version,
    CASE WHEN c.orphaned_at IS NULL OR c.orphaned_at > :upto THEN c.parent_id END, e.payload, e.recorded_at
FROM checkpoints c JOIN events e ON e.stream_id = c.origin_id AND e.version = c.version
WHERE c.line_id = :line_id AND c.namespace >= :first_namespace AND c.namespace < :past_namespace
    AND c.checkpoint_id > :after AND c.checkpoint_id <= :last_id
    AND c.shown_from <= :upto AND (c.retired_at IS NULL OR c.retired_at > :upto)
ORDER BY c.namespace, c.checkpoint_id;

-- name: waiting_writes
-- What arrived after a version for checkpoints of the outermost graph that are not saved yet: those behind its latest,
-- but for those whose runs were deleted.
SELECT w.checkpoint_id, w.version FROM writes w
WHERE w.line_id = :line_id AND w.namespace = '' AND w.checkpoint_id > :latest AND w.version > :after AND w.version <= :upto
    AND NOT EXISTS (
        SELECT 1 FROM checkpoints c
        WHERE c.line_id = w.line_id AND c.namespace = w.namespace AND c.checkpoint_id = w.checkpoint_id
            AND c.shown_from <= :upto
    )
ORDER BY w.checkpoint_id, w.version;
