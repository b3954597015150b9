"""The command line `eventstore`: what happened to agents' threads, and any of it back, from a shell."""

__all__: list[str] = []
