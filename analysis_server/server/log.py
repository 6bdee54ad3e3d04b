"""The server's log: one JSON object per line in the user's data folder, with rotation.

Of audio, only names and durations are logged.
"""

from __future__ import annotations

import json
import logging
import os
import time
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from analysis_server.paths import private_folder

_BYTES_PER_FILE = 1 << 20
_FILES = 3


class Log:
    """Writes events to `logs/server.jsonl`; on a full disk lines are lost, the server goes on."""

    def __init__(self, home: Path) -> None:
        path = private_folder(home, "logs") / "server.jsonl"
        self._handler = _Handler(path, maxBytes=_BYTES_PER_FILE, backupCount=_FILES, encoding="utf-8")

    def write(self, event: str, **fields: str | float | None) -> None:
        """Write one line: the time, the event and its fields."""
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "event": event, **fields}
        text = json.dumps(line, ensure_ascii=False).encode(errors="backslashreplace").decode()
        self._handler.handle(logging.LogRecord("faderwise", logging.INFO, "", 0, text, None, None))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()


class _Handler(RotatingFileHandler):
    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return TextIOWrapper(os.fdopen(os.open(self.baseFilename, flags, 0o600), "ab"), encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Ignore a line that cannot be written."""
