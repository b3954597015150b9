"""The ground that the tests stand on: no module here holds a test, and no test imports from another."""
