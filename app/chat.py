"""What happens on the chat's page. What is shown is made by render, where it stands by layout."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
import gradio as gr
from gradio.events import api

from app import render, saved
from app.examples import example_questions
from app.feedback import feedback_line, write_feedback
from app.layout import DOWNLOAD, GETTING_READY, Layout
from app.opening import Admission, Opening
from app.programs import Endpoints
from app.session import Session
from index.errors import QAError
from index.progress import Listener
from index.types import Document
from qa.compose import shown

__all__ = ["ALL", "REQUESTS", "Chat"]

ALL = "all"
"""What the list of documents calls all of them."""
REQUESTS = 1000
"""Events of all kinds that wait in Gradio's queue."""
UPLOADS_KEPT = (600, 3600)
"""Every so many seconds, uploads that are older than so many, and were never read, are deleted."""
WAITING_UPLOADS = 8
"""One is prepared at a time."""

Update = dict[Any, Any]


class Chat:
    """One page for all visitors; each has a session."""

    def __init__(self, opening: Opening, admission: Admission, max_upload: int, feedback: Path) -> None:
        """Lays the page out.

        Args:
            opening: The library.
            admission: How many may ask at once.
            max_upload: Bytes of the largest file that a visitor may bring.
            feedback: The file that takes what visitors say of answers.
        """
        self._opening, self._admission, self._max_upload, self._feedback = opening, admission, max_upload, feedback
        self._adding = Admission(1, WAITING_UPLOADS)
        with gr.Blocks(title="document-qa", analytics_enabled=False, fill_width=True, delete_cache=UPLOADS_KEPT) as self.page:
            self._session = gr.State(delete_callback=lambda session: session and session.close())
            self._editing = gr.State()
            self._at = Layout()
            self._wire()
            endpoints = Endpoints(opening, admission)
            api(endpoints.ask, api_name="ask")
            api(endpoints.documents, api_name="documents")
        self.page.queue(default_concurrency_limit=None, max_size=REQUESTS, api_open=False)

    def _wire(self) -> None:
        at, session = self._at, self._session
        changed = [at.conversation, at.document, at.documents, at.upload, at.remove, at.question, at.ask, at.stop, at.cancel]
        private: dict[str, Any] = {
            "outputs": [self._session, self._editing, *changed],
            "api_visibility": "private",
            "show_progress": "hidden",
        }
        self.page.load(self._begin, **private)
        # Each press is heard: Gradio would pass over one that comes while it still ends an answer that was stopped.
        heard = private | {"trigger_mode": "multiple"}
        asking = [
            at.question.submit(self._asked, [session, at.question, self._editing], **heard),
            at.ask.click(self._asked, [session, at.question, self._editing], **heard),
            at.conversation.example(self._example, [session], **heard),
            at.conversation.retry(self._again, [session], **heard),
        ]
        at.stop.click(self._stopped, [session, at.question], cancels=asking, **private)
        at.new.click(self._clear, [session], cancels=asking, **private)
        at.cancel.click(self._cancel, [session], **private)
        at.conversation.edit(self._edit, [session], **private)
        at.conversation.mark(self._mark, [session], **private)
        at.conversation.show(self._show, [session], **private)
        at.documents.input(self._choose, [session, at.documents], **private)
        loud = private | {"show_progress": "full", "show_progress_on": at.conversation}
        at.upload.upload(self._add, [session, at.upload], **loud)
        at.remove.click(self._take_out, [session, at.documents], **private)
        for kind, button in at.save.items():
            saving = button.click(partial(_save, kind), [session], [at.file], api_visibility="private", show_progress="hidden")
            saving.then(None, [at.file], None, js=DOWNLOAD)

    # What happens. Each returns what changes on the page.

    async def _begin(self) -> AsyncIterator[Update]:
        at = self._at
        if not self._opening.done:
            yield {at.conversation: GETTING_READY}
        while not self._opening.done:
            await asyncio.sleep(0.1)
        try:
            self._opening.bot()
        except QAError as error:
            yield {at.conversation: render.welcome((), (), f"The documents cannot be opened: {error}")}
            return
        except Exception:
            yield {at.conversation: render.welcome((), (), "The documents cannot be opened; the server's log says why.")}
            raise
        session = Session(self._opening, self._max_upload)
        whole = await anyio.to_thread.run_sync(self._whole, session)
        can = gr.update(interactive=True)
        yield {at.question: can, at.ask: can, at.upload: can, **whole}

    async def _asked(self, session: Session | None, question: str, editing: int | None) -> AsyncIterator[Update]:
        async for update in self._answer(_still(session), question, editing, typed=True):
            yield update

    async def _example(self, session: Session | None, event: gr.EventData) -> AsyncIterator[Update]:
        async for update in self._answer(_still(session), str(event.question), None):
            yield update

    async def _again(self, session: Session | None, event: gr.EventData) -> AsyncIterator[Update]:
        turns = _still(session).turns
        number = _number(event, len(turns))
        if number is not None:
            async for update in self._answer(_still(session), turns[number].question, number, again=True):
                yield update

    async def _answer(
        self, session: Session, question: str, keep: int | None, *, typed: bool = False, again: bool = False
    ) -> AsyncIterator[Update]:
        """Answers a question after the first `keep` turns, or all of them; one that was typed is given back if it fails."""
        at = self._at
        if session.asking is not None and session.asking.question == question:
            yield {self._session: session}  # pressed twice
            return
        given_back = self._typed(question, keep, len(session.turns)) if typed else {}
        try:
            asking = session.begin(question, keep, again=again)
        except QAError as error:
            yield {at.conversation: self._talk(session, str(error)), **given_back}
            return
        yield {at.conversation: self._talk(session), **(self._typed("", None, 0) if typed else {})}
        work = asyncio.ensure_future(self._admission.run(partial(session.answer, asking)))
        said, turn = None, None
        try:
            done, _ = await asyncio.wait([work], timeout=render.PATIENCE)
            if not done:
                yield {at.stop: gr.update(visible=True)}
            turn = await work
        except QAError as error:
            said = str(error)
        except Exception:
            session.finish(asking, None)
            notice = "Something went wrong; the server's log says what."
            yield {at.conversation: self._talk(session, notice), at.stop: gr.update(visible=False), **given_back}
            raise
        finally:
            work.cancel()
        if not session.finish(asking, turn):
            return  # stopped meanwhile
        update = {at.stop: gr.update(visible=False), at.conversation: self._talk(session, said), self._session: session}
        if turn is None:
            yield update | given_back
        else:
            cited = [*turn.answer.citations, *turn.answer.nearest]
            page = partial(self._page, session, cited[0].document_id if cited else None)
            yield update | {at.document: await anyio.to_thread.run_sync(page)}

    def _stopped(self, session: Session | None, typed: str) -> Update:
        question = _still(session).give_up()
        at = self._at
        # Stopped, a question is given back, unless another is being typed already.
        return {
            at.conversation: self._talk(_still(session), "Stopped."),
            at.stop: gr.update(visible=False),
            at.question: question if question and not typed.strip() else gr.skip(),
        }

    def _edit(self, session: Session | None, event: gr.EventData) -> Update:
        turns = _still(session).turns
        number = _number(event, len(turns))
        if number is None:
            return {self._editing: None}
        return self._typed(turns[number].question, number, len(turns))

    def _cancel(self, _: Session | None) -> Update:
        return self._typed("", None, 0)

    def _mark(self, session: Session | None, event: gr.EventData) -> Update:
        session, at = _still(session), self._at
        number = _number(event, len(session.turns))
        if number is None or session.turns[number].answer.status == "empty_question":
            return {at.conversation: self._talk(session, "That answer is not there any more.")}
        right = event.right is True
        try:
            line = feedback_line(session.turns[number], right, str(event.remark), datetime.now().astimezone())
            write_feedback(line, self._feedback)
        except QAError as error:
            return {at.conversation: self._talk(session, str(error))}
        session.mark(number, right)
        return {at.conversation: self._talk(session, "Thank you; your remark was written down." if event.remark else None)}

    def _show(self, session: Session | None, event: gr.EventData) -> Update:
        return {self._at.document: self._page(_still(session), str(event.document))}

    def _choose(self, session: Session | None, chosen: str) -> Update:
        session = _still(session)
        session.choose(None if chosen == ALL else chosen)
        return self._whole(session)

    async def _add(self, session: Session | None, file: str | None, progress: gr.Progress = gr.Progress()) -> Update:  # noqa: B008
        session = _still(session)
        if file is None:
            return self._whole(session)
        path = Path(file)
        listener = Listener(progress=lambda stage, done, total: progress((done, total), desc=stage))
        try:
            data = path.read_bytes()
            path.unlink(missing_ok=True)  # the server keeps no copy
            document = await self._adding.run(partial(session.add, data, path.name, listener))
        except QAError as error:
            return self._whole(session, str(error))
        except OSError:
            return self._whole(session, f"{path.name}: did not arrive whole; add it again")
        return self._whole(session, f"“{document.title}” can be asked now.")

    def _take_out(self, session: Session | None, chosen: str) -> Update:
        session = _still(session)
        try:
            document = session.remove(chosen)
        except QAError as error:
            return self._whole(session, str(error))
        return self._whole(session, f"“{document.title}” was removed.")

    def _clear(self, session: Session | None) -> Update:
        session = _still(session)
        session.clear()
        return self._whole(session) | self._cancel(session) | {self._at.stop: gr.update(visible=False)}

    # What the page shows.

    def _typed(self, question: str, editing: int | None, turns: int) -> Update:
        """Returns what stands in the box, and whether it will take the place of an earlier question."""
        label = "Your question" if editing is None else f"Edit question {editing + 1}"
        if editing is not None and editing + 1 < turns:
            label += "; those after it go"
        return {
            self._editing: editing,
            self._at.question: gr.update(value=question, label=label),
            self._at.cancel: gr.update(visible=editing is not None),
        }

    def _talk(self, session: Session, notice: str | None = None) -> str:
        if session.turns or session.asking:
            return render.conversation(session.turns, session.asking, notice)
        chosen = [pair for document in session.chosen[:4] if (pair := session.document(document.id))]
        return render.welcome(session.chosen, example_questions(chosen), notice)

    def _page(self, session: Session, document_id: str | None) -> Any:
        """Returns a document's page, if it is not shown already."""
        if document_id is None or document_id == session.shown or (pair := session.document(document_id)) is None:
            return gr.skip()
        session.shown = document_id
        return render.document_page(*pair)

    def _whole(self, session: Session, notice: str | None = None) -> Update:
        at = self._at
        documents, chosen = session.documents, session.chosen
        one = chosen[0] if len(chosen) == 1 else None
        choices = [(_name(document, documents), document.id) for document in documents]
        if len(documents) > 1:
            choices.insert(0, (f"All {len(documents)} documents", ALL))
        update = {
            self._session: session,
            at.document: self._page(session, chosen[0].id),
            at.documents: gr.update(choices=choices, value=one.id if one else ALL, interactive=len(documents) > 1),
            at.remove: gr.update(interactive=one is not None and session.removable(one)),
        }
        # Last, and only where it changes: an answer that is shown meanwhile must not be taken back.
        if notice or not (session.turns or session.asking):
            update[at.conversation] = self._talk(session, notice)
        return update


def _name(document: Document, documents: Sequence[Document]) -> str:
    """Returns what the list calls a document: its title, and where another has the same, its source."""
    alike = sum(each.title == document.title for each in documents)
    return shown(document.title if alike == 1 else f"{document.title} ({document.source.rpartition('/')[2]})")


def _still(session: Session | None) -> Session:
    if session is None:
        raise gr.Error("This page's session has ended. Reload the page to begin another.", print_exception=False)
    return session


def _number(event: gr.EventData, turns: int) -> int | None:
    """Returns the turn that an event names, from 0; None where there is no such turn."""
    number = event.turn
    return number - 1 if isinstance(number, int) and 1 <= number <= turns else None


def _save(kind: str, session: Session | None) -> dict[str, str]:
    turns = _still(session).turns
    if not turns:
        raise gr.Error("There is nothing to save yet. Ask a question first.", print_exception=False)
    return saved.as_file(turns, datetime.now().astimezone(), kind)
