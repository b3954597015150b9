-- A thread's rows stand in lines. It is on one of them, and a rollback puts it on a new one, which shows what the old one
-- showed at a version, as a fork shows its parent; what came later stays on the old line. A stream that was never moved
-- has one line, of its own number, and no row here. `since` is the version of the event that began a line (0: the first),
-- `left_at` that of the event by which the thread left it (NULL: it is on it).
CREATE TABLE lines (
    line_id INTEGER PRIMARY KEY,
    stream_id INTEGER NOT NULL,
    since INTEGER NOT NULL,
    left_at INTEGER
) STRICT;

CREATE UNIQUE INDEX lines_since ON lines (stream_id, since);
CREATE UNIQUE INDEX lines_current ON lines (stream_id) WHERE left_at IS NULL;

-- The events that changed what a thread shows: those that moved it to another line (`line_since`, from `left_since`;
-- `undoes`: the event that was undone by it), and those that made it forget.
CREATE TABLE moves (
    stream_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    topic TEXT NOT NULL,
    left_since INTEGER,
    line_since INTEGER,
    undoes INTEGER,
    PRIMARY KEY (stream_id, version)
) STRICT, WITHOUT ROWID;

ALTER TABLE checkpoints RENAME COLUMN stream_id TO line_id;

ALTER TABLE writes RENAME COLUMN stream_id TO line_id;

ALTER TABLE sources RENAME COLUMN stream_id TO line_id;

-- What was forgotten before there was this table.
INSERT INTO moves (stream_id, version, topic)
SELECT stream_id, version, topic FROM events WHERE topic IN ('thread.pruned', 'runs.deleted');

-- Since which version a line goes on from another no longer: it was pruned.
ALTER TABLE sources ADD COLUMN cut_at INTEGER;

-- The checkpoint that a line goes on from, if it is one: of what its source shows, only ids up to this one are shown, in
-- all namespaces. What tasks wrote there, and what subgraphs that they called saved, is taken over as far as it stays.
ALTER TABLE sources ADD COLUMN last_id TEXT;

DROP INDEX sources_source;

-- The lines that go on from one, each up to a version; with all that a listing asks of them.
CREATE INDEX sources_source ON sources (source_id, line_id, upto, last_id) WHERE cut_at IS NULL;
