"""The server's log: one JSON object a line, in the user's folder, with rotation.

Of audio nothing is logged but names and durations.
"""

from __future__ import annotations

import json
import logging
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

from analysis_server.server.keys import private_folder, restrict

_BYTES_A_FILE = 1 << 20
_FILES = 3


class Log:
    """Writes events to `server.jsonl`; a full disk costs lines, never the server."""

    def __init__(self, folder: Path) -> None:
        path = private_folder(folder) / "server.jsonl"
        self._handler = _QuietHandler(path, maxBytes=_BYTES_A_FILE, backupCount=_FILES, encoding="utf-8", delay=False)
        restrict(path)

    def write(self, event: str, **facts: str | float | None) -> None:
        """Write one line: the time, the event and its facts."""
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "event": event, **facts}
        record = logging.LogRecord("faderwise", logging.INFO, "", 0, json.dumps(line, ensure_ascii=False), None, None)
        self._handler.handle(record)

    def close(self) -> None:
        """Close the file."""
        self._handler.close()


class _QuietHandler(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Take no notice of a line that cannot be written."""
