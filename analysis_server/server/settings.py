"""The settings of a server and the folders it uses."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from analysis_server.paths import home
from analysis_server.server.protocol import MAX_MESSAGE_BYTES, Limits


def _default_workers() -> int:
    return max(2, (os.cpu_count() or 1) // 2)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A server's settings.

    Attributes
    ----------
    folder : the data folder; keys, connection file, lock and log are stored in it.
    host, port : the loopback address to listen at; port 0 takes a free one.
    n_workers : how many jobs run at once.
    idle_s : stop after this time without a request or a job; 0 never.
    queued_jobs : how many jobs may wait.
    kept_results, result_age_s : how many finished jobs are kept, and for how long.
    """

    folder: Path = field(default_factory=home)
    host: str = "127.0.0.1"
    port: int = 0
    n_workers: int = field(default_factory=_default_workers)
    idle_s: float = 30 * 60.0
    queued_jobs: int = 128
    kept_results: int = 1000
    result_age_s: float = 3600.0

    @property
    def limits(self) -> Limits:
        """The limits that clients are sent."""
        return Limits(
            message_bytes=MAX_MESSAGE_BYTES,
            queued_jobs=self.queued_jobs,
            kept_results=self.kept_results,
            result_age_s=self.result_age_s,
        )

    @property
    def spool(self) -> Path:
        """The workers' temporary files; emptied when a server starts."""
        return self.folder / "server" / "spool"

    @property
    def logs(self) -> Path:
        """The folder of the server's log."""
        return self.folder / "logs"
