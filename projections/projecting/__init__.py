"""The rows that events give: as they are saved, and when all rows are made anew."""
