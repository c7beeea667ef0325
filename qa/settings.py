"""Which language model chooses sentences, if any: flag over environment variable over none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from index.settings import checked_url, seconds

__all__ = ["LanguageModelSettings"]

LOCAL = "http://localhost:11434/v1"
"""Where Ollama listens."""


@dataclass(frozen=True, slots=True)
class LanguageModelSettings:
    """A language model behind OpenAI's chat protocol."""

    model: str
    """Its name at the server (`--llm`, `QA_LLM`)."""
    url: str = LOCAL
    """The server's address up to `/v1` (`--llm-url`, `QA_LLM_URL`)."""
    key: str | None = field(default=None, repr=False)
    """What the server wants to see (`QA_LLM_KEY`); there is no flag for it, because other users can read those."""
    timeout: float = 120.0
    """Seconds to wait for a reply (`QA_LLM_TIMEOUT`)."""

    @classmethod
    def resolve(
        cls, *, model: str | None = None, url: str | None = None, environ: Mapping[str, str] = os.environ
    ) -> LanguageModelSettings | None:
        """Returns the settings; None where no model is named.

        Raises:
            SettingsError: A value cannot be used.
        """
        model = model or environ.get("QA_LLM") or None
        if model is None:
            return None
        return cls(
            model,
            checked_url("QA_LLM_URL", url or environ.get("QA_LLM_URL") or LOCAL, LOCAL),
            environ.get("QA_LLM_KEY") or None,
            seconds("QA_LLM_TIMEOUT", environ.get("QA_LLM_TIMEOUT", "120")),
        )
