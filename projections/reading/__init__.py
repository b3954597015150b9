"""Reading checkpoints: which rows a thread shows, and what the events behind them hold."""
