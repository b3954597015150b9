"""The store's reactions when it is given what it cannot take, and when something breaks under it."""
