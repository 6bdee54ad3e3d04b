"""`ExecProcess`: starts a real process as REAPER does. [e: HDR, USAPI]

No shell and no search path: the program is a full path. The working folder is REAPER's, not the script's.
"""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.reaper_host.host import ReaperHost


def run_process(host: ReaperHost, command: str, timeout_ms: int) -> str | None:
    """Return ``exit code, line break, output``; None (NULL) where it cannot be started."""
    words = shlex.split(command)
    if not words or not Path(words[0]).is_absolute():
        return None
    try:
        process = subprocess.Popen(  # noqa: S603 - what ExecProcess does
            words,
            cwd=host.working_folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if timeout_ms >= 0 else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if timeout_ms >= 0 else subprocess.DEVNULL,
        )
    except OSError:
        return None
    if timeout_ms < 0:
        host.processes.append(process)
        return "0\n"
    with process:
        try:
            output, _ = process.communicate(timeout=timeout_ms / 1000.0 if timeout_ms > 0 else None)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
    return f"{process.returncode}\n{output.decode(errors='replace')}"
