"""What other programs are told: the same server's named endpoints, and MCP tools."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.opening import Admission, Opening
from app.terminal import as_fields
from index.errors import QAError
from qa.types import Answer

__all__ = ["Endpoints"]


class Endpoints:
    """Functions that Gradio offers to programs; their docstrings are what a language model reads of them."""

    def __init__(self, opening: Opening, admission: Admission) -> None:
        self._opening, self._admission = opening, admission

    def ask(self, question: str, history: list[str] | None = None) -> dict[str, Any]:
        """Answer a question from the documents alone, in their own sentences, each with its checked place.

        Args:
            question: The question, in any words.
            history: Earlier questions, oldest first, in whose light a follow-up such as 'And when?' is understood.

        Returns:
            status ("answered", "not_in_document" or "empty_question"), text with markers [1] [2], citations with quote, title,
            start and end, confidence from 0 to 1, and, where not answered, the nearest sentences, which are not an answer.
        """
        try:
            answer = self._answer(question, history or [])
        except QAError as error:
            raise gr.Error(str(error), print_exception=False) from error
        fields = as_fields(answer)
        del fields["trace"]
        return fields

    def documents(self) -> list[dict[str, Any]]:
        """List the documents that can be asked: id, title, and how many characters each has."""
        return [
            {"id": document.id, "title": document.title, "characters": len(document.text)}
            for document in self._opening.bot().documents
        ]

    def _answer(self, question: str, history: list[str]) -> Answer:
        bot = self._opening.bot()
        with self._admission.admitted():
            return bot.ask(question, history)
