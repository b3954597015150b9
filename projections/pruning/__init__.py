"""Pruning and deleting: the checkpoints to hide, the content to erase, and what is still needed."""
