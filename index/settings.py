"""Where the index lives and which model embeds: flag over environment variable over default."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from index.errors import SettingsError

__all__ = ["IndexSettings", "checked_url", "seconds"]


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """Resolved once at the entry point and passed down."""

    home: Path
    """Folder of the indexes (`QA_HOME`; by default the user's data folder)."""
    cache: Path
    """Folder of what can be made again, such as the exported model (`QA_CACHE`; by default the user's cache folder)."""
    embed_model: str | None = None
    """A sentence-transformers model by hub name or local path (`QA_EMBED_MODEL`); None is the packaged MiniLM."""
    chroma_url: str | None = None
    """`http://host:port` of a Chroma server (`QA_CHROMA_URL`); None keeps Chroma's files in `home`."""
    lock_timeout: float = 120.0
    """Seconds that a writer waits for another writer of the same index (`QA_LOCK_TIMEOUT`)."""

    @classmethod
    def resolve(
        cls,
        *,
        home: str | Path | None = None,
        embed_model: str | None = None,
        chroma_url: str | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> IndexSettings:
        """Fills what is not given from the environment, then from the defaults.

        Raises:
            SettingsError: A value cannot be used.
        """
        chroma_url = chroma_url or environ.get("QA_CHROMA_URL") or None
        if chroma_url is not None:
            checked_url("QA_CHROMA_URL", chroma_url, "http://localhost:8000")
        return cls(
            home=_folder("QA_HOME", home or environ.get("QA_HOME") or platformdirs.user_data_path("document-qa")),
            cache=_folder("QA_CACHE", environ.get("QA_CACHE") or platformdirs.user_cache_path("document-qa")),
            embed_model=embed_model or environ.get("QA_EMBED_MODEL") or None,
            chroma_url=chroma_url,
            lock_timeout=seconds("QA_LOCK_TIMEOUT", environ.get("QA_LOCK_TIMEOUT", "120")),
        )


def checked_url(name: str, value: str, example: str) -> str:
    """Returns the address if it is one of a server.

    Raises:
        SettingsError: It is not; the message names the setting and shows the example.
    """
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, a bracket without its other
        usable = False
    if not usable:
        raise SettingsError(f"{name} is {value!r}; it should look like {example}")
    return value


def seconds(name: str, value: str) -> float:
    """Returns the number of seconds that a setting names.

    Raises:
        SettingsError: It is no such number.
    """
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise SettingsError(f"{name} is {value!r}; it should be a number of seconds, 0 or more")
    return number


def _folder(name: str, value: str | Path) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError as error:  # '~somebody' who has no home
        raise SettingsError(f"{name} is {str(value)!r}; {error}") from None
