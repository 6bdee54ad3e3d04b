"""One writer at a time: locks on models, run folders and project copies.

The locks are in the data folder, named after the path they are for, so that nothing is left next to the user's files.
The system releases them when a process ends, however it ends.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from analysis_server.paths import home, private_folder
from core.errors import FaderwiseError, ServerError

_WAIT_S = 600.0


@contextmanager
def locked(*paths: Path) -> Iterator[None]:
    """Hold the locks of files or folders during a read-change-write; another process that wants one of them waits.

    Raises
    ------
    FaderwiseError
        Another process has had a lock for more than 10 minutes.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - many commands write nothing

    folder = _lock_folder()
    with ExitStack() as stack:
        try:
            for name in sorted(map(_name_of, paths)):
                stack.enter_context(FileLock(folder / name, timeout=_WAIT_S, mode=0o600))
        except Timeout:
            problem = "another Faderwise process has been writing here for 10 minutes"
            raise FaderwiseError(problem, path=paths[0], remedy="end it, and try again") from None
        yield


def _name_of(path: Path) -> str:
    real = os.path.normcase(os.path.realpath(path))
    return f"{hashlib.sha256(os.fsencode(real)).hexdigest()[:32]}.lock"


def _lock_folder() -> Path:
    """Return the folder of the locks: in the data folder, or where that cannot be written to, a temporary one."""
    try:
        return private_folder(home(), "locks")
    except (OSError, ServerError):
        owner = os.geteuid() if os.name != "nt" else os.environ.get("USERNAME", "user")
        return private_folder(Path(tempfile.gettempdir()) / f"faderwise-locks-{owner}")
