"""The pytest plugin: recorded histories and fresh savers, as fixtures.

pytest imports it in every session, wherever this distribution is installed. So it imports nothing of ours, and nothing
of LangGraph's, until a test asks for a fixture. `eventstore_pytest.plugin` is the plugin itself.
"""

__all__: list[str] = []
