-- name: all_progress
-- Of all projections that follow the feed.
SELECT projection, position FROM {schema}.progress ORDER BY projection;

-- name: progress
SELECT position, epoch FROM {schema}.progress WHERE projection = :projection;

-- name: begin_progress
INSERT INTO {schema}.progress (projection, position, epoch) VALUES (:projection, 0, 0)
ON CONFLICT (projection) DO NOTHING;

-- name: advance
UPDATE {schema}.progress SET position = :new_position WHERE projection = :projection;

-- name: begin_anew
UPDATE {schema}.progress SET position = 0, epoch = epoch + 1 WHERE projection = :projection;
