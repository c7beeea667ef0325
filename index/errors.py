"""The project's errors: one root, and what can go wrong between a file and the index."""

from __future__ import annotations

__all__ = ["LoadError", "ModelError", "QAError", "SettingsError", "StoreError", "StoreUnwritable"]


class QAError(Exception):
    """Root of every error raised on purpose.

    The message is one line that says what happened, to what, and what to do about it; the command line and the UI show
    it as it is. Anything else that is raised is a fault of the program and keeps its traceback.
    """


class LoadError(QAError):
    """A file, folder or string could not be read as a document."""


class ModelError(QAError):
    """The embedding model is missing, altered, or could not be prepared."""


class SettingsError(QAError):
    """A setting has a value that cannot be used."""


class StoreError(QAError):
    """The index could not be read or written."""


class StoreUnwritable(StoreError):
    """The index's folder does not take what is written: it is read-only, or its disk is full."""
