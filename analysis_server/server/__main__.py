"""`python -m analysis_server.server`: a server in the background, as a client starts it. It prints nothing."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from analysis_server.server.jobs import Log
from analysis_server.server.server import Settings, serve
from core.errors import FaderwiseError


def main() -> int:
    """Serve until idle or stopped; return 0 also when another server is running."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    settings = Settings()
    try:
        serve(settings, lambda _connection: None, stopped.is_set)
    except FaderwiseError as error:
        log = Log(settings.folder)
        log.write("not started", reason=str(error))
        log.close()
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
