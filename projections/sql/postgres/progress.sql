-- name: take_turn
-- Those who follow the feed take turns on this row.
SELECT position, epoch FROM {schema}.progress WHERE projection = :projection FOR UPDATE;
