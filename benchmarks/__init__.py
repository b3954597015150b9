"""What the saver costs, against LangGraph's own savers: `python -m benchmarks`, `python -m benchmarks --quick`."""
