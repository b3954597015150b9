-- name: branches_of_stream
SELECT branch_id, since, left_at FROM {schema}.branches WHERE stream_id = :stream_id;

-- name: branch_at
-- The branch that a thread was on when its stream was at a version: that of its last move, or its first, since 0.
SELECT branch_id FROM {schema}.branches
WHERE stream_id = :stream_id AND since = coalesce((
    SELECT branch_since FROM {schema}.reflog
    WHERE stream_id = :stream_id AND version <= :version AND branch_since IS NOT NULL
    ORDER BY version DESC LIMIT 1
), 0);

-- name: leave_branch
UPDATE {schema}.branches SET left_at = :event_version WHERE stream_id = :stream_id AND left_at IS NULL RETURNING since;

-- name: begin_branch
-- While the rows are made anew it is there already, and keeps its number.
INSERT INTO {schema}.branches (stream_id, since) VALUES (:stream_id, :event_version)
ON CONFLICT (stream_id, since) DO UPDATE SET left_at = NULL RETURNING branch_id;

-- name: return_to_branch
UPDATE {schema}.branches SET left_at = NULL WHERE stream_id = :stream_id AND since = :since;

-- name: leave_later_branches
-- Before the rows are made anew: as if no thread had begun another branch.
UPDATE {schema}.branches SET left_at = since WHERE since > 0;

-- name: return_to_first_branches
UPDATE {schema}.branches SET left_at = NULL WHERE since = 0;

-- name: begin_first_branches
-- The branch that each stream begins with: new streams get theirs by a trigger.
INSERT INTO {schema}.branches (stream_id, since)
SELECT s.stream_id, 0 FROM {schema}.streams s
WHERE NOT EXISTS (SELECT 1 FROM {schema}.branches b WHERE b.stream_id = s.stream_id AND b.since = 0);

-- name: drop_branches_never_begun
-- What no event has begun.
DELETE FROM {schema}.branches AS b WHERE b.since > 0 AND NOT EXISTS (
    SELECT 1 FROM {schema}.reflog r WHERE r.stream_id = b.stream_id AND r.branch_since = b.since
);

-- name: sources_of_branch
SELECT source_id, upto, last_id FROM {schema}.sources WHERE branch_id = :branch_id AND (cut_at IS NULL OR cut_at > :version);

-- name: cut_sources
-- A branch that is pruned goes on from no other any more; what it showed before can be asked for still.
UPDATE {schema}.sources SET cut_at = :cut_at WHERE branch_id = :branch_id AND cut_at IS NULL;

-- name: drop_sources
-- Of a deleted thread that nobody goes on from.
DELETE FROM {schema}.sources WHERE branch_id = :branch_id;

-- name: clear_sources
DELETE FROM {schema}.sources;

-- name: reflog_of_stream
SELECT version, topic, left_since, branch_since, undoes FROM {schema}.reflog WHERE stream_id = :stream_id;

-- name: moved_since
-- Whether a thread has moved to another branch, or has pruned or deleted something, after a version.
SELECT 1 FROM {schema}.reflog WHERE stream_id = :stream_id AND version > :after LIMIT 1;

-- name: pruned_at
-- The version at which a thread was pruned last: of what it showed before, only what it kept is left.
SELECT coalesce(max(version), 0) FROM {schema}.reflog WHERE stream_id = :stream_id AND topic = 'thread.pruned' AND version <= :upto;

-- name: note_in_reflog
INSERT INTO {schema}.reflog (stream_id, version, topic, left_since, branch_since, undoes)
VALUES (:stream_id, :event_version, :topic, :left_since, :branch_since, :undoes);

-- name: clear_reflog
DELETE FROM {schema}.reflog;
