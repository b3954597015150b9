"""LangGraph's own conformance suite."""
