"""The `qa` command. Heavy modules are imported inside the commands, so that `qa --help` answers at once."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from app.evaluation import evaluation
from app.lines import OneLine, one_line
from app.options import with_documents, with_index_settings, with_language_model
from index.errors import QAError

if TYPE_CHECKING:
    from index.folder import IndexFolder
    from index.progress import Listener
    from index.receipt import Receipt
    from index.settings import IndexSettings
    from qa.api import DocumentQA
    from qa.settings import LanguageModelSettings
    from qa.types import Answer

__all__ = ["main"]

ANSWERED, FAILED, USAGE, NOT_IN_DOCUMENT = 0, 1, 2, 3


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="document-qa", prog_name="qa")
def qa() -> None:
    """Ask documents questions; every sentence of an answer is a citation that was checked.

    Without --doc you ask the library: the built-in commentary, until you add your own with 'qa index add'.

    Exit codes: 0 answered, 3 not in the document, 2 usage, 1 an error (one line on standard error).
    """


@qa.command()
@click.argument("question")
@with_documents
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer, with offsets, as JSON.")
@with_language_model
@with_index_settings
def ask(
    question: str, paths: tuple[str, ...], as_json: bool, llm: LanguageModelSettings | None, settings: IndexSettings
) -> None:
    """Answer one QUESTION."""
    from app.terminal import print_answer, print_json

    with _opened(paths, settings, llm) as bot:
        answer = bot.ask(question)
        print_json(answer) if as_json else print_answer(answer)
    sys.exit(_exit_code(answer))


@qa.command()
@with_documents
@with_language_model
@with_index_settings
def chat(paths: tuple[str, ...], llm: LanguageModelSettings | None, settings: IndexSettings) -> None:
    """Ask one question after another; follow-ups are understood. An empty line or Ctrl-D ends it."""
    import importlib.util

    from app.terminal import print_answer, print_documents_asked, prompt

    if importlib.util.find_spec("readline"):
        import readline  # noqa: F401  (importing it lets people edit what they type)

    with _opened(paths, settings, llm) as bot:
        print_documents_asked(bot.documents)
        talk = bot.conversation()
        while question := prompt():
            print_answer(talk.ask(question))


@qa.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; another than this needs --auth.")
@click.option("--port", type=click.IntRange(0, 65535), default=7860, show_default=True, help="0 takes a free one.")
@click.option(
    "--auth", metavar="USER:PASSWORD", help="Who may come in. Better set as a variable, which others cannot read.  [QA_AUTH]"
)
@click.option("--shared-library", is_flag=True, help="What visitors add goes into the library, for everyone to see.")
@click.option(
    "--max-upload", metavar="MB", type=click.FloatRange(min=0.001), default=5, show_default=True, help="Largest file."
)
@click.option(
    "--max-waiting", type=click.IntRange(0), default=32, show_default=True, help="Questions that may wait their turn."
)
@click.option("--mcp", is_flag=True, help="Offer asking and listing documents as MCP tools, at /gradio_api/mcp/.")
@with_documents
@with_language_model
@with_index_settings
def serve(
    host: str,
    port: int,
    auth: str | None,
    shared_library: bool,
    max_upload: float,
    max_waiting: int,
    mcp: bool,
    paths: tuple[str, ...],
    llm: LanguageModelSettings | None,
    settings: IndexSettings,
) -> None:
    """Open the chat in a browser: the answer beside the document. Ctrl-C ends it."""
    from app.serve import ServeSettings, serve

    serve(
        ServeSettings.resolve(
            host=host,
            port=port,
            auth=auth,
            shared_library=shared_library,
            max_upload=round(max_upload * 2**20),
            max_waiting=max_waiting,
            mcp=mcp,
        ),
        settings,
        paths,
        llm,
    )


@qa.group()
def index() -> None:
    """See and change what the library holds."""


@index.command("add")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@with_index_settings
def index_add(paths: tuple[str, ...], settings: IndexSettings) -> None:
    """Add files, and the text files of folders; a changed file takes the place of its older self."""
    from index.load import load_paths

    _change(settings, lambda library, listener: library.add(load_paths(paths, listener))[1])


@index.command("remove")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@with_index_settings
def index_remove(names: tuple[str, ...], settings: IndexSettings) -> None:
    """Remove documents by id, title or path. The last one gone, the built-in commentary comes back."""
    _change(settings, lambda library, _: library.remove(names)[1])


@index.command("rebuild")
@with_index_settings
def index_rebuild(settings: IndexSettings) -> None:
    """Cut and embed every document again, from its stored text."""
    _change(settings, lambda library, _: library.rebuild()[1])


@index.command("list")
@with_index_settings
def index_list(settings: IndexSettings) -> None:
    """List the documents: id, title, characters, passages and where each came from."""
    from app.terminal import print_library

    with _opened((), settings) as bot:
        print_library(bot.documents, bot.passage_counts)


@qa.command()
@click.argument("file", type=click.Path(path_type=Path))
@with_documents
@with_index_settings
def verify(file: Path, paths: tuple[str, ...], settings: IndexSettings) -> None:
    """Check every quote of a conversation that the chat saved as JSON in FILE, against the documents as they are now.

    Looks in the library, and in what --doc names beside it. Exit codes: 0 all quotes hold, 1 some do not.
    """
    from app.saved import load_saved
    from app.saved import verify as verified
    from app.terminal import print_checked
    from index.load import load_paths

    conversation = load_saved(file)
    with _opened((), settings) as bot:
        documents = [*bot.documents, *load_paths(paths)]
    checked = verified(conversation, documents)
    print_checked(checked)
    sys.exit(ANSWERED if all(each.state == "holds" for each in checked) else FAILED)


qa.add_command(evaluation)


@contextmanager
def _opened(paths: tuple[str, ...], settings: IndexSettings, llm: LanguageModelSettings | None = None) -> Iterator[DocumentQA]:
    import qa as api
    from app.terminal import listening
    from qa.api import language_model

    with listening() as listener, api.open(*paths, settings=settings, listener=listener, llm=language_model(llm)) as bot:
        yield bot


def _change(settings: IndexSettings, change: Callable[[IndexFolder, Listener], Receipt]) -> None:
    from app.terminal import listening, print_receipt
    from qa.api import open_library

    with listening() as listener:
        receipt = change(open_library(settings, listener), listener)
    print_receipt(receipt)


def _exit_code(answer: Answer) -> int:
    return {"answered": ANSWERED, "not_in_document": NOT_IN_DOCUMENT, "empty_question": USAGE}[answer.status]


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs the command line and ends the process; an error raised on purpose becomes one line."""
    log = logging.StreamHandler()
    log.setLevel(logging.WARNING)  # some libraries log whatever they do
    log.setFormatter(OneLine())
    logging.basicConfig(handlers=[log])
    for stream in (sys.stdin, sys.stdout):
        if isinstance(stream, io.TextIOWrapper):
            # A character that the terminal lacks, or a byte that is none, becomes '?' and does not end the command.
            stream.reconfigure(errors="replace")
    try:
        qa.main(args=arguments, prog_name="qa", standalone_mode=True)
    except QAError as error:
        click.echo(f"qa: {one_line(str(error))}", err=True)
        sys.exit(FAILED)
    sys.exit(ANSWERED)
