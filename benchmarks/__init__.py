"""The costs of the saver, against LangGraph's own savers: `python -m benchmarks`, `python -m benchmarks --quick`."""
