"""Starting a server in the background, as a client does when none answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from analysis_server.server.fingerprint import package_root
from analysis_server.server.keys import private_folder

_DETACHED = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)

_started: list[subprocess.Popen[bytes]] = []
"""Servers this process has started: known until they end, so that none of them stays behind as a zombie."""


def start_server(folder: Path) -> subprocess.Popen[bytes]:
    """Start a server that keeps everything in `folder` and outlives this process.

    If one is up already, or another one is faster, the new one leaves by itself.
    """
    known = [str(package_root()), *filter(None, [os.environ.get("PYTHONPATH")])]
    child = subprocess.Popen(
        [sys.executable, "-m", "analysis_server.server"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=private_folder(folder / "server"),
        env={**os.environ, "FADERWISE_HOME": str(folder), "PYTHONPATH": os.pathsep.join(known)},
        start_new_session=os.name != "nt",
        creationflags=_DETACHED,
    )
    forget_ended()
    _started.append(child)
    return child


def forget_ended() -> bool:
    """Forget the servers this process has started that have ended; tell whether none is left."""
    _started[:] = [child for child in _started if child.poll() is None]
    return not _started
