-- The order in which the checkpoints of all threads are listed. Ids grow with time, so that new ones come at its end.
CREATE INDEX checkpoints_listed ON checkpoints (checkpoint_id, namespace, stream_id, shown_from);

-- The forks that show what a stream has, each up to a version.
CREATE INDEX sources_source ON sources (source_id, stream_id, upto);
