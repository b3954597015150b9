"""Checkpoints: saving them, and everything that callers do with them."""
