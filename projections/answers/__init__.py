"""The record of a thread's calls: what models and tools were asked, and what they answered."""
