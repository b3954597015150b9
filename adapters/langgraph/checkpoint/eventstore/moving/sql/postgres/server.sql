-- name: migrations
-- PostgresSaver numbers its layouts from 0.
SELECT max(v) AS v FROM checkpoint_migrations;

-- name: restore_metadata
-- PostgresSaver leaves out of metadata what earlier versions of LangGraph stored as `writes`.
UPDATE checkpoints SET metadata = (:metadata)::jsonb
WHERE thread_id = :thread AND checkpoint_ns = :namespace AND checkpoint_id = :checkpoint;
