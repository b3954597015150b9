"""What events do to the rows: as they are saved, and when all rows are made anew."""
