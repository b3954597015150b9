-- name: take_turn
-- Who may write is alone: the transaction has begun as one that writes.
SELECT position, epoch FROM progress WHERE projection = :projection;
