"""The chat's server: who may come in, what it listens to, and in which order it starts."""

from __future__ import annotations

import hmac
import ipaddress
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from index.errors import SettingsError
from index.settings import IndexSettings

if TYPE_CHECKING:
    from gradio import Blocks

    from qa.settings import LanguageModelSettings

__all__ = ["FEEDBACK", "ServeSettings", "Server", "serve"]

FEEDBACK = "feedback.jsonl"
"""In the folder of the indexes."""
ASKING = 2
"""Questions that are answered at the same time; more would only make each other slower."""
ASKING_A_MODEL = 8
"""The same where a language model does most of the work elsewhere."""
OTHER_THREADS = 40
"""For everything but questions."""
SESSIONS = 1000
"""Visitors whose pages Gradio remembers."""


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """How the chat is served."""

    host: str = "127.0.0.1"
    port: int = 7860
    auth: tuple[str, str] | None = field(default=None, repr=False)
    """User and password; None lets everyone in who can reach the address."""
    shared_library: bool = False
    """Whether what visitors add goes into the library."""
    max_upload: int = 5 * 2**20
    """Bytes."""
    max_waiting: int = 32
    """Questions that may wait their turn; one more is told that the server is busy."""
    mcp: bool = False

    @classmethod
    def resolve(
        cls,
        *,
        host: str,
        port: int,
        auth: str | None,
        shared_library: bool,
        max_upload: int,
        max_waiting: int,
        mcp: bool,
        environ: Mapping[str, str] = os.environ,
    ) -> ServeSettings:
        """Fills what is not given from the environment.

        Raises:
            SettingsError: The user and password cannot be read, or an address that others can reach has none.
        """
        raw = auth or environ.get("QA_AUTH") or None
        user, colon, password = (raw or "").partition(":")
        if raw is not None and not (user and colon and password):
            raise SettingsError("QA_AUTH should look like user:password")
        if raw is None and not _is_loopback(host):
            raise SettingsError(
                f"on {host} others could read the documents; set QA_AUTH=user:password, or leave --host out to listen here only"
            )
        if ":" in host:
            raise SettingsError(f"{host} is an address of IPv6, which the chat cannot listen to; 127.0.0.1 is this machine")
        if mcp and raw is not None:
            raise SettingsError("MCP tools would be open to all, since Gradio asks no password for them; leave --mcp or it out")
        if mcp and find_spec("mcp") is None:
            raise SettingsError("--mcp needs a package that is not there: pip install 'document-qa[mcp]'")
        return cls(host, port, (user, password) if raw else None, shared_library, max_upload, max_waiting, mcp)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Server:
    """The chat, listening; a context manager."""

    def __init__(
        self,
        settings: ServeSettings,
        index_settings: IndexSettings,
        paths: Sequence[str] = (),
        llm: LanguageModelSettings | None = None,
    ) -> None:
        """Listens, and opens the documents in the background.

        Args:
            settings: How it is served.
            index_settings: Where indexes live; feedback is written there too.
            paths: Files and folders to ask instead of the library.
            llm: A language model that chooses the sentences.

        Raises:
            SettingsError: The port is taken, or the documents asked for cannot be shared.
        """
        if paths and settings.shared_library:
            raise SettingsError("--shared-library goes with the library; leave --doc out")
        # Uploads go into a folder of their own, which ends with the server. Gradio reads these when it is imported.
        self._files = tempfile.TemporaryDirectory(prefix="qa-uploads-")
        os.environ["GRADIO_TEMP_DIR"] = self._files.name
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        # Gradio looks whether its own page answers; that must not go through a proxy.
        os.environ["NO_PROXY"] = ",".join(filter(None, (os.environ.get("NO_PROXY"), "localhost", settings.host)))
        import qa as api
        from app.chat import Chat
        from app.layout import STYLE, THEME
        from app.opening import Admission, Opening
        from index.progress import Listener
        from qa.api import language_model, open_library

        listener = Listener()
        self.opening = Opening(
            lambda: api.open(*paths, settings=index_settings, listener=listener, llm=language_model(llm)),
            partial(open_library, index_settings) if settings.shared_library else None,
            listener.notice,
        )
        admission = Admission(ASKING if llm is None else ASKING_A_MODEL, settings.max_waiting)
        chat = Chat(self.opening, admission, settings.max_upload, index_settings.home / FEEDBACK)
        self.page: Blocks = chat.page
        try:
            _, self.url, _ = self.page.launch(
                server_name=settings.host,
                server_port=settings.port or _free_port(settings.host),
                auth=None if settings.auth is None else partial(_may_enter, settings.auth),
                max_file_size=settings.max_upload,
                mcp_server=settings.mcp,
                css=STYLE,
                theme=THEME,
                share=False,
                ssr_mode=False,
                pwa=False,
                enable_monitoring=False,
                run_history=False,
                footer_links=[],
                prevent_thread_lock=True,
                quiet=True,
                show_error=False,
                # Each question that is asked or waits takes one of Gradio's places for work.
                max_threads=ASKING_A_MODEL + settings.max_waiting + OTHER_THREADS,
                state_session_capacity=SESSIONS,
            )
        except OSError as error:
            self._files.cleanup()
            raise SettingsError(
                f"port {settings.port} of {settings.host} cannot be listened to; name another with --port"
            ) from error
        self.opening.start()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.page.close(verbose=False)
        self._files.cleanup()


def serve(
    settings: ServeSettings,
    index_settings: IndexSettings,
    paths: Sequence[str] = (),
    llm: LanguageModelSettings | None = None,
) -> None:
    """Serves the chat until it is interrupted; the arguments are those of Server."""
    with Server(settings, index_settings, paths, llm) as server:
        click.echo(f"The chat is at {server.url} (Ctrl-C ends it)")
        with suppress(KeyboardInterrupt):
            server.page.block_thread()


def _may_enter(expected: tuple[str, str], user: str, password: str) -> bool:
    given = (user.encode(), password.encode())
    return all([hmac.compare_digest(a, b.encode()) for a, b in zip(given, expected, strict=True)])


def _free_port(host: str) -> int:
    import socket

    with socket.create_server((host, 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
