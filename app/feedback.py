"""What visitors say of answers: a JSON line each, in the form that `qa eval add` makes gold questions of."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from filelock import FileLock

from app.session import Turned
from evals.suite.drafts import FeedbackCitation, FeedbackLine
from index.errors import QAError

__all__ = ["feedback_line", "write_feedback"]

MAX_REMARK = 1000
"""Characters of a remark that are kept."""


def feedback_line(turn: Turned, right: bool, remark: str, at: datetime) -> FeedbackLine:
    """Returns an answer and what a visitor said of it.

    Args:
        turn: The answer; not one to an empty question.
        right: Whether it was marked right.
        remark: In the visitor's words; may be empty.
        at: When.
    """
    answer = turn.answer
    assert answer.status != "empty_question"
    return FeedbackLine(
        at=at.isoformat(timespec="milliseconds"),
        question=turn.question,
        history=[question for question in turn.history if question.strip()],
        documents=[document.id for document in turn.documents],
        status=answer.status,
        text=answer.text,
        confidence=answer.confidence,
        citations=[
            FeedbackCitation(document_id=c.document_id, title=c.title, start=c.start, end=c.end, quote=c.quote)
            for c in answer.citations
        ],
        right=right,
        remark=remark[:MAX_REMARK].encode("utf-8", "replace").decode("utf-8"),
    )


def write_feedback(line: FeedbackLine, path: Path) -> None:
    """Appends a line, whole or not at all, whoever else writes at the same time.

    Raises:
        QAError: The file cannot be written.
    """
    data = (line.model_dump_json() + "\n").encode("utf-8")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{path.name}.lock"), timeout=10):
            file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                size = os.fstat(file).st_size
                if size and os.pread(file, 1, size - 1) != b"\n":
                    data = b"\n" + data  # a writer was cut off here; its half line stays one of its own
                if os.write(file, data) != len(data):
                    os.ftruncate(file, size)
                    raise OSError("the disk is full")
            finally:
                os.close(file)
    except (OSError, TimeoutError) as error:
        raise QAError(f"{path}: your feedback could not be written ({error})") from None
