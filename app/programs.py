"""What other programs are told: the same server's named endpoints, and MCP tools."""

from __future__ import annotations

import asyncio
from typing import Any

import gradio as gr

from app.opening import Admission, Opening
from app.session import within_limit
from app.terminal import as_fields
from index.errors import QAError
from qa.api import DocumentQA

__all__ = ["Endpoints"]


class Endpoints:
    """Functions that Gradio offers to programs; their docstrings are what a language model reads of them."""

    def __init__(self, opening: Opening, admission: Admission) -> None:
        self._opening, self._admission = opening, admission

    async def ask(self, question: str, history: list[str] | None = None) -> dict[str, Any]:
        """Answer a question from the documents alone, in their own sentences, each with its checked place.

        Args:
            question: The question, in any words.
            history: Earlier questions, oldest first, in whose light a follow-up such as 'And when?' is understood.

        Returns:
            status ("answered", "not_in_document" or "empty_question"), text with markers [1] [2], citations with quote, title,
            start and end, confidence from 0 to 1, the question as it was understood, notes, and, where not answered, the
            nearest sentences, which are not an answer.
        """
        bot = await self._opened()
        # Gradio hands on whatever a program sends.
        if not isinstance(history, list | None) or not all(isinstance(each, str) for each in (question, *(history or ()))):
            raise gr.Error("question is a text, and history a list of texts, the earlier questions", print_exception=False)
        try:
            asked, *earlier = map(within_limit, (question, *(history or ())))
            answer = await self._admission.run(lambda: bot.ask(asked, earlier))
        except QAError as error:
            raise gr.Error(str(error), print_exception=False) from error
        trace = answer.trace
        fields = as_fields(answer) | {"understood": trace.understood, "notes": list(trace.notes)}
        del fields["trace"]
        return fields

    async def documents(self) -> list[dict[str, Any]]:
        """List the documents that can be asked: id, title, and how many characters each has."""
        bot = await self._opened()
        return [{"id": each.id, "title": each.title, "characters": len(each.text)} for each in bot.documents]

    async def _opened(self) -> DocumentQA:
        while not self._opening.done:
            await asyncio.sleep(0.1)
        try:
            return self._opening.bot()
        except QAError as error:
            raise gr.Error(str(error), print_exception=False) from error
