-- A stream can get another name; its hash chain goes on from the one that it began with (NULL: it has that still).
ALTER TABLE {schema}.streams ADD COLUMN begun_as text COLLATE "C";
