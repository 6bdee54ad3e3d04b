"""What a server may use, and where it keeps things."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from analysis_server.paths import home
from analysis_server.server.messages import Limits

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
LONGEST_MESSAGE_BYTES = 256 * KIB
CHUNK_BYTES = 128 * KIB


def _default_workers() -> int:
    return max(2, (os.cpu_count() or 1) // 2)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A server's settings.

    Attributes
    ----------
    folder : everything that is kept lies in here.
    host, port : where to listen; port 0 takes a free one.
    n_workers : how many jobs run at once.
    idle_s : stop after this long without a request or a job; 0 never.
    queued_jobs : how many jobs may wait.
    kept_results, result_age_s : how many finished jobs are kept, and for how long.
    cache_bytes : how much the results kept on disk may take.
    upload_bytes, upload_age_s : how much uploads may take together, and how long they wait for a job.
    """

    folder: Path = field(default_factory=home)
    host: str = "127.0.0.1"
    port: int = 0
    n_workers: int = field(default_factory=_default_workers)
    idle_s: float = 30 * 60.0
    queued_jobs: int = 128
    kept_results: int = 1000
    result_age_s: float = 3600.0
    cache_bytes: int = 2 * GIB
    upload_bytes: int = 4 * GIB
    upload_age_s: float = 600.0

    @property
    def limits(self) -> Limits:
        """What a client is told."""
        return Limits(
            message_bytes=LONGEST_MESSAGE_BYTES,
            chunk_bytes=CHUNK_BYTES,
            queued_jobs=self.queued_jobs,
            upload_bytes=self.upload_bytes,
            result_age_s=self.result_age_s,
        )

    @property
    def spool(self) -> Path:
        """Uploads, and what running jobs make; emptied when a server starts."""
        return self.folder / "server" / "spool"

    @property
    def cache(self) -> Path:
        """Results of earlier jobs."""
        return self.folder / "cache"

    @property
    def logs(self) -> Path:
        """The server's log."""
        return self.folder / "logs"
