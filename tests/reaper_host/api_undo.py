"""Undo, and the refresh count that has to be balanced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.reaper_host.project_state import Project
from tests.reaper_host.registry import reascript

if TYPE_CHECKING:
    from tests.reaper_host.host import ReaperHost


@reascript("Undo_BeginBlock")
def undo_begin_block(host: ReaperHost) -> None:
    host.project.history.begin()


@reascript("Undo_BeginBlock2")
def undo_begin_block2(_host: ReaperHost, project: Project) -> None:
    project.history.begin()


@reascript("Undo_EndBlock")
def undo_end_block(host: ReaperHost, name: str, flags: int) -> None:
    undo_end_block2(host, host.project, name, flags)


@reascript("Undo_EndBlock2")
def undo_end_block2(host: ReaperHost, project: Project, name: str, flags: int) -> None:
    """End a block; flags that leave out what was changed would leave it out of the step. [b: HDRP, USAPI]"""
    if project.history.open_blocks == 0:
        host.complain(f"the undo block {name!r} was ended but not begun in this cycle")
    if project.history.open_blocks == 1:
        for part in project.history.left_out(flags):
            host.complain(f"the undo step {name!r} leaves out what was changed in {part}: its flags are {flags}")
    project.history.end(name)


@reascript("Undo_OnStateChange")
def undo_on_state_change(host: ReaperHost, name: str) -> None:
    host.project.history.record(name)


@reascript("Undo_OnStateChange2")
def undo_on_state_change2(_host: ReaperHost, project: Project, name: str) -> None:
    project.history.record(name)


@reascript("Undo_OnStateChangeEx2")
def undo_on_state_change_ex2(_host: ReaperHost, project: Project, name: str, _which: int, _track: int) -> None:
    project.history.record(name)


@reascript("Undo_CanUndo2")
def undo_can_undo2(_host: ReaperHost, project: Project) -> str | None:
    """NULL, and so an AttributeError in Python, if there is nothing to undo. [a: N782]"""
    return project.history.can_undo


@reascript("Undo_CanRedo2")
def undo_can_redo2(_host: ReaperHost, project: Project) -> str | None:
    return project.history.can_redo


@reascript("Undo_DoUndo2")
def undo_do_undo2(host: ReaperHost, project: Project) -> int:
    return int(project.history.undo(not host.switches.undo_restores_ext_state))


@reascript("Undo_DoRedo2")
def undo_do_redo2(host: ReaperHost, project: Project) -> int:
    return int(project.history.redo(not host.switches.undo_restores_ext_state))


@reascript("PreventUIRefresh")
def prevent_ui_refresh(host: ReaperHost, change: int) -> None:
    """Always add, then remove the same amount. [a: HDR]"""
    host.refresh_prevented += change
    if host.refresh_prevented < 0:
        host.complain("PreventUIRefresh was given back more often than taken")


@reascript("UpdateArrange", "UpdateTimeline", "Main_UpdateLoopInfo")
def redraw(_host: ReaperHost, *_ignored: object) -> None:
    """Nothing is drawn here."""


@reascript("TrackList_AdjustWindows")
def track_list_adjust_windows(host: ReaperHost, _minor: int) -> None:
    """Envelopes shown or hidden by attribute are seen from here on. [b: HDR, N779]"""
    host.panels_are_stale = False
