"""What can be told of the past, and got back from it."""
