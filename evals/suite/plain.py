"""What everything that is written to a file and read back has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Plain"]


class Plain(BaseModel):
    """Plain data: it never changes, and an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
