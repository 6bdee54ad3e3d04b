"""Actions that `Main_OnCommand` runs, by number. [names: USACT]"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.reaper_host.project_state import Project

if TYPE_CHECKING:
    from tests.reaper_host.host import ReaperHost


def run_command(host: ReaperHost, project: Project, number: int) -> None:
    """Run an action, native or a script."""
    if number in COMMANDS:
        COMMANDS[number](host, project)
    elif number in host.actions.actions:
        host.start(host.actions.actions[number])
    else:
        host.unsupported(f"action {number}")


def _toggle_visible(kind: str) -> Callable[[ReaperHost, Project], None]:
    def toggle(host: ReaperHost, project: Project) -> None:
        """Show or hide the envelope of each selected track; the first time makes it. [b: USACT, N782, N779]"""
        for track in project.tracks:
            if not track.is_selected:
                continue
            envelope = track.envelope(kind)
            if envelope is None:
                is_volume = kind.startswith("VOLENV")
                value = track.volume if kind == "VOLENV2" else 1.0 if is_volume else 0.0
                track.create_envelope(kind, value, is_volume and host.switches.new_envelopes_are_fader_scaled)
            else:
                shown = envelope.block.number("VIS", 0, 0) != 0
                envelope.block.set_word("VIS", 0, str(int(not shown)), "0 1 1")
                project.touched()

    return toggle


def _toggle_active(host: ReaperHost, project: Project) -> None:
    for track in project.tracks:
        envelope = track.envelope("VOLENV2") if track.is_selected else None
        if envelope is not None:
            envelope.block.set_word("ACT", 0, str(int(not envelope.is_active)), "1 -1")
            project.touched()


def _select(selected: int) -> Callable[[ReaperHost, Project], None]:
    def select(_host: ReaperHost, project: Project) -> None:
        for track in project.tracks:
            track.set("SEL", 0, selected, "0")

    return select


def _save(host: ReaperHost, project: Project) -> None:
    if project.path is None:
        host.dialogs.hang("Save project")
    host.save(project)


def _close_tab(host: ReaperHost, _project: Project) -> None:
    """40860 closes the ACTIVE tab. [f: USACT, N779]"""
    if host.project.is_dirty:
        host.dialogs.hang("Save changes to the project?")
    host.close_tab()


def _time_selection_off(_host: ReaperHost, project: Project) -> None:
    project.time_selection = (0.0, 0.0)


def _unmute(_host: ReaperHost, project: Project) -> None:
    for track in project.tracks:
        track.set("MUTESOLO", 0, 0, "0 0 0")


def _unsolo(_host: ReaperHost, project: Project) -> None:
    for track in project.tracks:
        track.set("MUTESOLO", 1, 0, "0 0 0")


def _render(host: ReaperHost, project: Project) -> None:
    host.render(project)


def _render_with_window(host: ReaperHost, project: Project) -> None:
    """41824 leaves its window open. [d: USACT, N779]"""
    host.render(project)
    host.dialogs.hang("Render to file (finished)")


def _play_state(state: int) -> Callable[[ReaperHost, Project], None]:
    def play(host: ReaperHost, _project: Project) -> None:
        host.play_state = state

    return play


COMMANDS: dict[int, Callable[[ReaperHost, Project], object]] = {
    40406: _toggle_visible("VOLENV2"),
    40408: _toggle_visible("VOLENV"),
    42020: _toggle_visible("VOLENV3"),
    40407: _toggle_visible("PANENV2"),
    40052: _toggle_active,
    40296: _select(1),
    40297: _select(0),
    40026: _save,
    40029: lambda host, project: project.history.undo(not host.switches.undo_restores_ext_state),
    40030: lambda host, project: project.history.redo(not host.switches.undo_restores_ext_state),
    40339: _unmute,
    40340: _unsolo,
    40635: _time_selection_off,
    40859: lambda host, _project: host.new_tab(),
    40860: _close_tab,
    42230: _render,
    41824: _render_with_window,
    1007: _play_state(1),
    1013: _play_state(5),
    1016: _play_state(0),
}
