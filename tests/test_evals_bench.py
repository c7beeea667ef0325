import json
import os
import subprocess
import sys

import pytest

from evals.bench.chunks import chunks
from evals.bench.corpus import commentary, megabyte
from index.sentences import outline


def test_the_megabyte_repeats_no_sentence():
    text = megabyte()
    assert 1_000_000 <= len(text) < 1_010_000
    paragraphs = text.split("\n\n")
    assert len(set(paragraphs)) == len(paragraphs)
    part = "\n\n".join(paragraphs[:40] + paragraphs[-40:])
    sentences = [part[sentence.start : sentence.end] for sentence in outline(part, "x").sentences]
    assert len(set(sentences)) == len(sentences)


def test_chunks_hold_every_word_and_fit_the_model(embedder):
    found = chunks(commentary())
    assert " ".join(found).split() == commentary().split()
    assert max(embedder.count_tokens(found)) <= 254


# The plain stack does the same for "reading" as for "warm question", and each of its starts takes ten seconds.
@pytest.mark.parametrize(
    ("stack", "tasks"),
    [("ours", ("prepare", "warm question", "reading", "chat ready")), ("plain", ("prepare", "warm question", "chat ready"))],
)
def test_both_stacks_can_be_timed(stack, tasks, tmp_path):
    environment = os.environ | {"BENCH_STARTED": "0"}
    for task in tasks:
        command = [sys.executable, "-m", f"evals.bench.{stack}", task, str(tmp_path)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
        result = json.loads(done.stdout.strip().rsplit("\n", 1)[-1])
        assert result["seconds"] > 0
        assert result["peak_mb"] > 0
