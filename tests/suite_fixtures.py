"""The suite's small gold file on disk; a test module takes it with `pytest_plugins = ["suite_fixtures"]`."""

import json

import pytest
from suite_lines import LINES, RULES

from evals.suite.gold import load_gold


@pytest.fixture
def write_gold(tmp_path):
    """Writes gold lines beside the house rules, and returns the file."""

    def write(*lines):
        (tmp_path / "rules.txt").write_text(RULES, encoding="utf-8")
        path = tmp_path / "rules.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
        return path

    return write


@pytest.fixture
def gold(write_gold):
    """Six questions on the house rules."""
    return load_gold(write_gold(*LINES))
