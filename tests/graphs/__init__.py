"""What real LangGraph graphs may expect of the saver, each graph in every way of running it."""
