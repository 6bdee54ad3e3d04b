"""Run an action: a generator that continues at every defer tick until it ends, one action at a time.

The running job is noted in REAPER's ext state (until REAPER closes), which every script sees, whether REAPER gives
each run an interpreter of its own or not. A note that was not renewed belongs to a loop that REAPER has stopped.
"""

from __future__ import annotations

import time
import traceback
from pathlib import Path
from typing import Iterator

import reapy
from reapy import reascript_api as RPR  # noqa: N812

from faderwise_bridge import dialogs
from faderwise_bridge.errors import BridgeError, UserCancelled
from faderwise_bridge.job import Job, job_in

SECTION, _KEY = "Faderwise", "AT_WORK"
_RENEW_S, _LOST_S = 0.5, 4.0


class _Running:
    """The noted job, and when it was noted last."""

    folder = ""
    noted_s = 0.0


def start(flow: Iterator[None]) -> None:
    """Start an action; while another one is running, offer to cancel that one instead."""
    other = running_job()
    if other is None:
        _continue(flow)
        return
    percent = 100.0 * float(other.progress().get("fraction") or 0.0)
    if dialogs.agrees(f"{other.title} is running ({percent:.0f} %). Cancel it?"):
        other.cancel()


def note_running(folder: Path) -> None:
    """Note that the job in `folder` is running."""
    _Running.folder, _Running.noted_s = str(folder), 0.0
    _renew()


def note_ended() -> None:
    """Note that no job is running; other actions can be started."""
    if _Running.folder:
        _Running.folder = ""
        RPR.DeleteExtState(SECTION, _KEY, False)


def running_job() -> Job | None:
    """Return the job that is running in this REAPER."""
    noted, _, folder = RPR.GetExtState(SECTION, _KEY).partition(" ")
    try:
        is_lost = time.time() - float(noted) > _LOST_S
    except ValueError:
        return None
    return None if is_lost else job_in(Path(folder))


def _continue(flow: Iterator[None]) -> None:
    try:
        next(flow)
    except (StopIteration, UserCancelled):
        note_ended()
    except BridgeError as error:
        note_ended()
        dialogs.show(str(error))
    except Exception as error:  # an action ends here
        note_ended()
        RPR.ShowConsoleMsg(traceback.format_exc())
        dialogs.show(
            f"Internal error ({type(error).__name__}: {error}); see the REAPER console. The project was not changed "
            "halfway. Please report it."
        )
    else:
        _renew()
        reapy.defer(_continue, flow)


def _renew() -> None:
    if _Running.folder and abs(time.time() - _Running.noted_s) > _RENEW_S:
        _Running.noted_s = time.time()
        RPR.SetExtState(SECTION, _KEY, f"{_Running.noted_s:.1f} {_Running.folder}", False)
