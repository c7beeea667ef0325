"""The chat, being served; a test module takes it with `pytest_plugins = ["chat_fixtures"]`."""

import pytest
from chat_server import chat_served


@pytest.fixture(scope="session")
def chat(embedder, tmp_path_factory):
    """One server for all tests that change nothing on it; its address, and where its files are."""
    home = tmp_path_factory.mktemp("chat") / "home"
    with chat_served(home) as url:
        yield url, home
