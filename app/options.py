"""Options that several commands share, resolved into settings: flag over environment variable over default."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import click

__all__ = ["with_documents", "with_index_settings", "with_language_model"]

Command = Callable[..., None]

_INDEX = (
    click.option("--home", metavar="DIR", help="Folder of the indexes.  [QA_HOME; default: your data folder]"),
    click.option("--embed-model", metavar="NAME", help="A sentence-transformers model, by hub name or path.  [QA_EMBED_MODEL]"),
    click.option("--chroma-url", metavar="URL", help="A Chroma server that keeps the vectors.  [QA_CHROMA_URL]"),
)
_LANGUAGE_MODEL = (
    click.option("--llm", metavar="NAME", help="A language model, which then chooses the sentences.  [QA_LLM]"),
    click.option("--llm-url", metavar="URL", help="Its server, up to /v1.  [QA_LLM_URL; default: Ollama on this machine]"),
)

with_documents = click.option(
    "--doc", "paths", metavar="PATH", multiple=True, help="Ask this file or folder instead of the library; may be repeated."
)


def with_index_settings(command: Command) -> Command:
    """Adds the index's options; the command gets `settings`."""

    @wraps(command)
    def resolved(*args: object, home: str | None, embed_model: str | None, chroma_url: str | None, **rest: object) -> None:
        from index.settings import IndexSettings

        command(*args, settings=IndexSettings.resolve(home=home, embed_model=embed_model, chroma_url=chroma_url), **rest)

    return _with(_INDEX, resolved)


def with_language_model(command: Command) -> Command:
    """Adds the language model's options; the command gets `llm`, its settings or None."""

    @wraps(command)
    def resolved(*args: object, llm: str | None, llm_url: str | None, **rest: object) -> None:
        from qa.settings import LanguageModelSettings

        command(*args, llm=LanguageModelSettings.resolve(model=llm, url=llm_url), **rest)

    return _with(_LANGUAGE_MODEL, resolved)


def _with(options: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
