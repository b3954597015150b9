"""The audit: an extract of the log, made from the feed, by which events are found."""
