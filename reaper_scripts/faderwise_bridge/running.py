"""An action at work: a generator that goes on at every defer tick until it ends, one at a time.

What is at work is marked in REAPER's ext state (kept until REAPER closes), which every script sees, whether REAPER
gives each run an interpreter of its own or not. A mark that was not renewed is of a loop that REAPER has stopped.
"""

from __future__ import annotations

import time
import traceback
from pathlib import Path
from typing import Iterator

import reapy
from reapy import reascript_api as RPR  # noqa: N812

from faderwise_bridge import dialogs
from faderwise_bridge.job import Job, job_in
from faderwise_bridge.trouble import Stopped, Trouble

SECTION, _KEY = "Faderwise", "AT_WORK"
_RENEWED_EVERY_S, _LOST_S = 0.5, 4.0


class _Mark:
    """Which job is at work, and when that was last written down."""

    folder = ""
    written_s = 0.0


def start(flow: Iterator[None]) -> None:
    """Start an action; while another one is at work, offer to cancel that one instead."""
    other = at_work()
    if other is not None:
        _offer_to_cancel(other)
    else:
        _go_on(flow)


def mark(folder: Path) -> None:
    """Note that the job in `folder` is the one at work."""
    _Mark.folder, _Mark.written_s = str(folder), 0.0
    _renew()


def at_work() -> Job | None:
    """Return the job that is at work in this REAPER."""
    written, _, folder = RPR.GetExtState(SECTION, _KEY).partition(" ")
    try:
        is_lost = time.time() - float(written) > _LOST_S
    except ValueError:
        return None
    return None if is_lost else job_in(Path(folder))


def _go_on(flow: Iterator[None]) -> None:
    try:
        next(flow)
    except (StopIteration, Stopped):
        _end()
    except Trouble as trouble:
        _end()
        dialogs.tell(str(trouble))
    except Exception as error:  # an action ends here
        _end()
        RPR.ShowConsoleMsg(traceback.format_exc())
        dialogs.tell(
            f"Faderwise made a mistake ({type(error).__name__}: {error}); what it says of it stands in the console. "
            "Nothing half-written stays in the project. Please report it."
        )
    else:
        _renew()
        reapy.defer(_go_on, flow)


def _renew() -> None:
    if _Mark.folder and abs(time.time() - _Mark.written_s) > _RENEWED_EVERY_S:
        _Mark.written_s = time.time()
        RPR.SetExtState(SECTION, _KEY, f"{_Mark.written_s:.1f} {_Mark.folder}", False)


def _end() -> None:
    if _Mark.folder:
        _Mark.folder = ""
        RPR.DeleteExtState(SECTION, _KEY, False)


def _offer_to_cancel(other: Job) -> None:
    done = 100.0 * float(other.progress().get("fraction") or 0.0)
    if dialogs.agrees(f"{other.title} is at work ({done:.0f} %). Cancel it?"):
        other.cancel()
