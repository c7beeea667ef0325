"""The chat's page: layout and wiring. What is shown is made by render, what happens by session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import anyio.to_thread
import gradio as gr
from gradio.events import api

from app import render, saved
from app.examples import example_questions
from app.feedback import feedback_line, write_feedback
from app.opening import Admission, Opening
from app.programs import Endpoints
from app.session import MAX_QUESTION, Session
from index.errors import QAError
from index.progress import Listener
from index.types import Document

__all__ = ["ALL", "STYLE", "THEME", "Chat"]

ALL = "all"
"""What the list of documents calls all of them."""
PATIENCE = 0.5
"""Seconds after which a question can be stopped."""
_ASSETS = resources.files("app").joinpath("assets")
STYLE = _ASSETS.joinpath("chat.css").read_text(encoding="utf-8")
THEME = gr.themes.Base(
    primary_hue="teal",
    neutral_hue="zinc",
    font=["system-ui", "sans-serif"],  # fonts of the visitor's machine: nothing is fetched
    font_mono=["ui-monospace", "monospace"],
).set(
    # Gradio's own colours are too faint for white letters.
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_800",
)
_DOWNLOAD = """(file) => {
  if (!file) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([file.text], { type: file.type }));
  link.download = file.name;
  link.click();
  URL.revokeObjectURL(link.href);
}"""
_DOCUMENT_SHOWN = """
const box = document.getElementById("document");
Object.assign(box, { tabIndex: 0, role: "region", ariaLabel: "Text" });  // it scrolls, so the keyboard must reach it
watch("value", () => document.dispatchEvent(new CustomEvent("qa-document")));
"""
_PLACEHOLDER = "Ask the document a question"
_GETTING_READY = '<div class="welcome"><p class="notice" role="status">Getting ready …</p></div>'

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
        with gr.Blocks(title="document-qa", analytics_enabled=False, fill_width=True) as self.page:
            self._lay_out()
            self._wire()
            endpoints = Endpoints(opening, admission)
            api(endpoints.ask, api_name="ask")
            api(endpoints.documents, api_name="documents")
        self.page.queue(default_concurrency_limit=None, api_open=False)

    def _lay_out(self) -> None:
        self._session = gr.State()
        self._editing = gr.State()
        with gr.Row(elem_id="top", equal_height=True):
            gr.HTML("<h1>Ask a document</h1>", elem_id="name", scale=1, min_width=160)
            self._documents = gr.Dropdown(
                [], label="Document", interactive=False, scale=3, min_width=220, elem_id="documents", filterable=False
            )
            self._upload = gr.UploadButton(
                "Add your own (.txt, .md)", file_types=[".txt", ".md"], size="sm", min_width=140, interactive=False, scale=1
            )
            self._remove = gr.Button("Remove", size="sm", min_width=80, interactive=False, scale=0)
        with gr.Row(elem_id="columns"):
            with gr.Column(elem_id="chat", scale=1, min_width=320):
                self._conversation = gr.HTML(
                    _GETTING_READY,
                    elem_id="conversation",
                    js_on_load=_ASSETS.joinpath("chat.js").read_text(encoding="utf-8"),
                    apply_default_css=False,
                )
                with gr.Row(elem_id="asking", equal_height=True):
                    self._question = gr.Textbox(
                        label="Your question",
                        placeholder=_PLACEHOLDER,
                        max_length=MAX_QUESTION,
                        lines=1,
                        max_lines=5,
                        scale=5,
                        interactive=False,
                        elem_id="question",
                    )
                    self._ask = gr.Button("Ask", variant="primary", scale=1, min_width=80, interactive=False, elem_id="ask")
                    self._stop = gr.Button("Stop", variant="stop", scale=1, min_width=80, visible=False, elem_id="stop")
                with gr.Row(elem_id="saving"):
                    self._new = gr.Button("New conversation", size="sm", min_width=120)
                    self._save = {
                        "md": gr.Button("Save as Markdown", size="sm", min_width=120),
                        "json": gr.Button("Save as JSON", size="sm", min_width=120),
                        "html": gr.Button("Save as page", size="sm", min_width=120),
                    }
                self._file = gr.JSON(visible="hidden")
            with gr.Column(elem_id="reading", scale=1, min_width=320):
                self._document = gr.HTML("", elem_id="document", js_on_load=_DOCUMENT_SHOWN, apply_default_css=False)

    def _wire(self) -> None:
        shown = [
            self._session,
            self._editing,
            self._conversation,
            self._document,
            self._documents,
            self._upload,
            self._remove,
            self._question,
            self._ask,
            self._stop,
        ]
        private: dict[str, Any] = {"outputs": shown, "api_visibility": "private", "show_progress": "hidden"}
        self.page.load(self._begin, **private)
        session = self._session
        typed = {"inputs": [session, self._question, self._editing], "trigger_mode": "once", **private}
        asking = [
            self._question.submit(self._asked, **typed),
            self._ask.click(self._asked, **typed),
            self._conversation.example(self._example, [session], trigger_mode="once", **private),
            self._conversation.retry(self._again, [session], trigger_mode="once", **private),
        ]
        self._stop.click(self._stopped, [session], cancels=asking, **private)
        self._conversation.edit(self._edit, [session], **private)
        self._conversation.mark(self._mark, [session], **private)
        self._conversation.show(self._show, [session], **private)
        self._documents.input(self._choose, [session, self._documents], **private)
        self._upload.upload(
            self._add, [session, self._upload], **(private | {"show_progress": "full"}), show_progress_on=self._conversation
        )
        self._remove.click(self._take_out, [session, self._documents], **private)
        self._new.click(self._clear, [session], **private)
        for kind, button in self._save.items():
            saving = button.click(_saver(kind), [session], [self._file], api_visibility="private", show_progress="hidden")
            saving.then(None, [self._file], None, js=_DOWNLOAD)

    # What happens. Each returns what changes on the page.

    async def _begin(self) -> AsyncIterator[Update]:
        if not self._opening.ready:
            yield {self._conversation: _GETTING_READY}
        try:
            await anyio.to_thread.run_sync(self._opening.bot, abandon_on_cancel=True)
        except QAError as error:
            yield {self._conversation: render.welcome((), (), f"The documents cannot be opened: {error}")}
            return
        session = Session(self._opening, self._admission, self._max_upload)
        yield {
            self._session: session,
            self._question: gr.update(interactive=True),
            self._ask: gr.update(interactive=True),
            self._upload: gr.update(interactive=True),
            **self._whole(session),
        }

    async def _asked(self, session: Session | None, question: str, editing: int | None) -> AsyncIterator[Update]:
        async for update in self._answer(_still(session), question, editing):
            yield update

    async def _example(self, session: Session | None, event: gr.EventData) -> AsyncIterator[Update]:
        async for update in self._answer(_still(session), str(event.question), None):
            yield update

    async def _again(self, session: Session | None, event: gr.EventData) -> AsyncIterator[Update]:
        turns = _still(session).turns
        number = _number(event, len(turns))
        if number is not None:
            async for update in self._answer(_still(session), turns[number].question, number):
                yield update

    async def _answer(self, session: Session, question: str, keep: int | None) -> AsyncIterator[Update]:
        """Answers a question after the first `keep` turns, or all of them."""
        if not question.strip():
            yield {self._conversation: self._talk(session, "Please ask a question.")}
            return
        if keep is not None:
            session.rewind(keep)
        yield {
            self._conversation: render.conversation(session.turns, asking=question),
            self._question: gr.update(value="", label="Your question"),
            self._editing: None,
        }
        work = asyncio.ensure_future(anyio.to_thread.run_sync(session.ask, question, abandon_on_cancel=True))
        try:
            done, _ = await asyncio.wait([work], timeout=PATIENCE)
            if not done:
                yield {self._ask: gr.update(visible=False), self._stop: gr.update(visible=True)}
            turn = await work
        except QAError as error:
            # The question is given back, so that nothing that was typed is lost.
            yield self._idle() | {self._conversation: self._talk(session, str(error)), self._question: question}
            return
        finally:
            work.cancel()
        session.remember(turn)
        cited = [*turn.answer.citations, *turn.answer.nearest]
        yield self._idle() | {
            self._conversation: render.conversation(session.turns),
            self._document: _page(session, cited[0].document_id if cited else None),
        }

    def _stopped(self, session: Session | None) -> Update:
        return self._idle() | {self._conversation: self._talk(_still(session), "Stopped.")}

    def _edit(self, session: Session | None, event: gr.EventData) -> Update:
        turns = _still(session).turns
        number = _number(event, len(turns))
        if number is None:
            return {self._editing: None}
        label = f"Edit question {number + 1}" + ("; those after it go" if number + 1 < len(turns) else "")
        return {self._editing: number, self._question: gr.update(value=turns[number].question, label=label)}

    def _mark(self, session: Session | None, event: gr.EventData) -> Update:
        session = _still(session)
        number = _number(event, len(session.turns))
        if number is None:
            return {self._conversation: self._talk(session, "That answer is not there any more.")}
        right = event.right is True
        try:
            line = feedback_line(session.turns[number], right, str(event.remark), datetime.now().astimezone())
            write_feedback(line, self._feedback)
        except QAError as error:
            return {self._conversation: self._talk(session, str(error))}
        session.mark(number, right)
        return {self._conversation: self._talk(session, "Thank you; your mark was written down.")}

    def _show(self, session: Session | None, event: gr.EventData) -> Update:
        return {self._document: _page(_still(session), str(event.document))}

    def _choose(self, session: Session | None, chosen: str) -> Update:
        session = _still(session)
        session.choose(None if chosen == ALL else chosen)
        return self._whole(session)

    def _add(self, session: Session | None, file: str | None, progress: gr.Progress = gr.Progress()) -> Update:  # noqa: B008
        session = _still(session)
        if file is None:
            return self._whole(session)
        path = Path(file)
        try:
            data = path.read_bytes()
        finally:
            path.unlink(missing_ok=True)  # the server keeps no copy
        try:
            listener = Listener(progress=lambda stage, done, total: progress((done, total), desc=stage))
            document = session.add(data, path.name, listener)
        except QAError as error:
            return self._whole(session, str(error))
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
        session.rewind(0)
        return self._whole(session) | {self._editing: None, self._question: gr.update(label="Your question")}

    # What the page shows.

    def _idle(self) -> Update:
        return {self._ask: gr.update(visible=True), self._stop: gr.update(visible=False)}

    def _talk(self, session: Session, notice: str | None = None) -> str:
        if session.turns:
            return render.conversation(session.turns, notice=notice)
        return render.welcome(session.chosen, example_questions(session.chosen), notice)

    def _whole(self, session: Session, notice: str | None = None) -> Update:
        documents, chosen = session.documents, session.chosen
        one = chosen[0] if len(chosen) == 1 else None
        choices = [(document.title, document.id) for document in documents]
        if len(documents) > 1:
            choices.insert(0, (f"All {len(documents)} documents", ALL))
        return {
            self._conversation: self._talk(session, notice),
            self._document: render.document_page(chosen[0]),
            self._documents: gr.update(
                choices=choices, value=one.id if one else ALL, interactive=len(documents) > 1, visible=True
            ),
            self._remove: gr.update(interactive=one is not None and session.removable(one)),
        }


def _still(session: Session | None) -> Session:
    if session is None:
        raise gr.Error("This page is older than the server. Reload it to go on.", print_exception=False)
    return session


def _number(event: gr.EventData, turns: int) -> int | None:
    """Returns the turn that an event names, from 0; None where there is no such turn."""
    number = event.turn
    return number - 1 if isinstance(number, int) and 1 <= number <= turns else None


def _page(session: Session, document_id: str | None) -> Any:
    document: Document | None = session.document(document_id) if document_id else None
    return gr.skip() if document is None else render.document_page(document)


def _saver(kind: str) -> Callable[[Session | None], dict[str, str] | None]:
    makers: dict[str, tuple[Callable[[Sequence[Any], datetime], str], str]] = {
        "md": (saved.conversation_as_markdown, "text/markdown"),
        "json": (saved.as_json, "application/json"),
        "html": (saved.as_page, "text/html"),
    }

    def save(session: Session | None) -> dict[str, str] | None:
        turns = _still(session).turns
        if not turns:
            raise gr.Error("There is nothing to save yet. Ask a question first.", print_exception=False)
        make, media_type = makers[kind]
        now = datetime.now().astimezone()
        return {"name": f"questions-{now:%Y-%m-%d-%H%M}.{kind}", "type": media_type, "text": make(turns, now)}

    return save
