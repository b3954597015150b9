"""Tokens and money: what the messages of models say that they took, by thread, run, node, model, user and day."""
