"""Small stores that this package once wrote, and what was read from them then: every later version reads the same."""
