"""Draws docs/images/reaper-tour.png: the bundled song's bus tracks in the simulated REAPER, as three actions leave
them.

`python -m tests.end_to_end.draw_tour docs/images/reaper-tour.png`
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.reaper.studio import ROLES, STEMS, Studio, end_server, small_session
from tests.reaper_host import ReaperHost

LENGTH_S = 24.0
MOVES_DB = ((0, -5, -1, -4), (-4, -1, -3, 0), (-2, 2, -6, -1), (-7, -2, 0, -3))
"""What the rough mix does: each bus's gain at 2, 9, 16 and 22 s."""
COLUMNS = ("1  Auto-mix buses", "2  Match buses to a mixdown", "3  Edit bus automation: depth 50 %")
COLOURS = ("#b5460f", "#0b6ba8", "#0d7a4b", "#8d2f8a")
Drawn = list[tuple[np.ndarray, np.ndarray]]


def main(picture: Path) -> None:
    """Run the three actions and draw the envelopes after each."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BROWSER"] = "true"
        home = Path(folder, "home")
        home.mkdir()
        try:
            columns = _three_actions(Path(folder), home)
        finally:
            end_server(home)
    figure = Figure(figsize=(11, 5), layout="constrained", facecolor="white")
    grid = figure.subplots(len(ROLES), len(COLUMNS), sharex=True, sharey=True)
    for place, (title, envelopes) in enumerate(zip(COLUMNS, columns, strict=True)):
        grid[0, place].set_title(title, loc="left", fontsize=10)
        for lane, role in enumerate(ROLES):
            _draw_track(grid[lane, place], role, envelopes[lane], COLOURS[lane])
    for axes in grid[:, 0]:
        axes.set_ylabel("dB", fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel("s", fontsize=8)
    figure.savefig(picture, dpi=100)


def _three_actions(folder: Path, home: Path) -> list[Drawn]:
    path = small_session(folder / "session")
    _write_rough_mix(path.with_name("mix.wav"))
    with ReaperHost(folder / "resource", path) as host:
        studio = Studio(host, path, home)
        studio.choose_buses()
        studio.decline_report()
        studio.run("auto_mix_buses")
        mixed = _envelopes(studio)
        host.RPR.RPR_SetExtState("Faderwise", "existing", "replace", True)
        host.dialogs.expect_message("Yes", containing="mix.wav")
        studio.decline_report()
        studio.run("match_buses")
        matched = _envelopes(studio)
        host.dialogs.expect_inputs(_half_depth, containing="edit the last run")
        host.dialogs.expect_message("OK")
        studio.run("edit_bus_automation")
        return [mixed, matched, _envelopes(studio)]


def _half_depth(captions: Sequence[str], defaults: Sequence[str]) -> list[str]:
    pairs = zip(captions, defaults, strict=True)
    return ["50" if caption.lower().startswith("depth") else value for caption, value in pairs]


def _write_rough_mix(path: Path) -> None:
    stems = [soundfile.read(STEMS / f"{role}.flac", always_2d=True) for role in ROLES]
    time_s = np.arange(len(stems[0][0])) / stems[0][1]
    gains = [10.0 ** (np.interp(time_s, (2.0, 9.0, 16.0, 22.0), moves) / 20.0) for moves in MOVES_DB]
    mix = sum(audio * gain[:, None] for (audio, _), gain in zip(stems, gains, strict=True))
    soundfile.write(path, mix, stems[0][1], "FLOAT")


def _envelopes(studio: Studio) -> Drawn:
    """Return each bus track's volume envelope: its points' times, and their gains over the fader in dB."""
    drawn: Drawn = []
    for track in studio.host.project.tracks:
        envelope = track.envelope("VOLENV2")
        assert envelope is not None
        time_s = np.array([point.time for point in envelope.points])
        gain = np.array([envelope.gain_at(at_s) for at_s in time_s]) * track.volume
        drawn.append((time_s, 20.0 * np.log10(np.maximum(gain, 1e-3))))
    return drawn


def _draw_track(axes: Axes, role: str, envelope: tuple[np.ndarray, np.ndarray], colour: str) -> None:
    audio, rate = soundfile.read(STEMS / f"{role}.flac", always_2d=True)
    blocks = audio[: len(audio) // 2048 * 2048].mean(axis=1).reshape(-1, 2048)
    at_s = (np.arange(len(blocks)) + 0.5) * 2048 / rate
    peak = np.abs(blocks).max(axis=1)
    middle, height = -3.0, 8.0
    axes.fill_between(at_s, middle - height * peak, middle + height * peak, color="#d9d9d4", linewidth=0)
    time_s, gain_db = envelope
    axes.plot([*time_s, LENGTH_S], [*gain_db, gain_db[-1]], color=colour, linewidth=1.6)
    axes.plot(time_s, gain_db, "o", color=colour, markersize=3.5)
    axes.set(xlim=(0.0, LENGTH_S), ylim=(-12.0, 6.0), yticks=(-12, -6, 0, 6))
    axes.axhline(0.0, color="#999", linewidth=0.5)
    axes.tick_params(labelsize=7)
    axes.text(0.3, -11.2, f"{role.upper()} BUS", fontsize=7, color="#333")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
