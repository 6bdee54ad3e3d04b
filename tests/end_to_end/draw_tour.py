"""Draw the images of docs/guides/reaper.md from the state of the simulated REAPER.

`python -m tests.end_to_end.draw_tour docs/images` writes `reaper-tour.png`, the envelopes of the bundled song after
three actions, and `reaper-dialogs.png`, the windows of all actions as they are filled in at that moment. It needs the
development tools that `python3 install.py test` installs.
"""

from __future__ import annotations

import os
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

try:
    import numpy as np
    import soundfile
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from tests.reaper.studio import ROLES, STEMS, Studio, end_server, small_session
    from tests.reaper_host import ReaperHost
    from tests.reaper_host.dialogs import Shown
except ModuleNotFoundError as error:
    print(
        f"draw_tour: {error.name} is not installed; run python3 install.py test and use the Python in .venv",
        file=sys.stderr,
    )
    raise SystemExit(2) from None

LENGTH_S = 24.0
MOVES_DB = ((0, -5, -1, -4), (-4, -1, -3, 0), (-2, 2, -6, -1), (-7, -2, 0, -3))
"""What the rough mix does: each bus's gain at 2, 9, 16 and 22 s."""
COLUMNS = ("1  Auto-mix buses", "2  Match buses to a mixdown", "3  Edit bus automation: depth 50 %")
COLOURS = ("#b5460f", "#0b6ba8", "#0d7a4b", "#8d2f8a")
Drawn = list[tuple[np.ndarray, np.ndarray]]


def main(images: Path) -> None:
    """Run the actions and draw the envelopes and the windows."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BROWSER"] = "true"
        home = Path(folder, "home")
        home.mkdir()
        try:
            columns, windows = _run_actions(Path(folder), home)
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
    figure.savefig(images / "reaper-tour.png", dpi=100)
    _draw_windows(windows, images / "reaper-dialogs.png")


def _run_actions(folder: Path, home: Path) -> tuple[list[Drawn], list[Shown]]:
    """Return the envelopes after three actions, and the windows that all actions have shown."""
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
        edited = _envelopes(studio)
        host.dialogs.expect_inputs(["my mixes", "faders", "", "me"], containing="learn a mix model")
        host.dialogs.expect_message("OK", containing="has learned")
        studio.run("learn_mix_model")
        host.dialogs.expect_message("No", containing="nothing was edited by hand")
        studio.run("audit_bus_automation")
        host.dialogs.expect_message("No", containing="Revert the last run?")
        host.dialogs.expect_inputs(None, containing="back to before which run")
        studio.run("revert_bus_automation")
        host.dialogs.expect_inputs(None, containing="settings")
        studio.run("settings")
        host.dialogs.expect_message("Yes", containing="empty project tab")
        host.dialogs.expect_message("OK", containing="facts are as expected")
        studio.run("check_reaper")
        _ask_about_own_moves_and_solos(studio)
        shown = {window.text[:24] + window.title: window for window in host.dialogs.shown}
        windows = [replace(window, text=window.text.replace(str(folder), "/music")) for window in shown.values()]
        return [mixed, matched, edited], windows


def _ask_about_own_moves_and_solos(studio: Studio) -> None:
    """Draw a point, solo a track and mix without an answer in Settings; cancel when both were asked about."""
    host, vocals = studio.host, studio.host.RPR.RPR_GetTrack(0, 3)
    host.RPR.RPR_SetExtState("Faderwise", "existing", "ask", True)
    envelope = host.RPR.RPR_GetTrackEnvelopeByChunkName(vocals, "<VOLENV2")
    host.RPR.RPR_InsertEnvelopePoint(envelope, 12.0, 400.0, 0, 0.0, False, False)
    host.RPR.RPR_SetMediaTrackInfo_Value(vocals, "I_SOLO", 2)
    studio.choose_buses()
    host.dialogs.expect_message("Yes", containing="There is volume automation on")
    host.dialogs.expect_message("No", containing="Continue anyway?")
    studio.run("auto_mix_buses")


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


_TITLE, _ROW, _LINE, _WIDTH = 0.30, 0.30, 0.20, 5.6
_BUTTONS = {"inputs": ("OK", "Cancel"), "message": ("OK",)}


def _draw_windows(windows: Sequence[Shown], picture: Path) -> None:
    """Draw the windows in two columns, the tallest first."""
    columns: list[list[Shown]] = [[], []]
    for window in sorted(windows, key=_height, reverse=True):
        min(columns, key=lambda column: sum(map(_height, column))).append(window)
    height = max(sum(_height(window) + 0.25 for window in column) for column in columns)
    figure = Figure(figsize=(2 * _WIDTH + 0.75, height + 0.25), facecolor="#e9e9e6")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 2 * _WIDTH + 0.75), ylim=(height + 0.25, 0))
    axes.set_axis_off()
    for place, column in enumerate(columns):
        top = 0.25
        for window in column:
            _draw_window(axes, window, 0.25 + place * (_WIDTH + 0.25), top)
            top += _height(window) + 0.25
    figure.savefig(picture, dpi=90)


def _lines(window: Shown) -> list[str]:
    """Return the lines of a message, or the captions of the fields."""
    if window.kind == "inputs":
        return [caption for caption in window.text.split(",") if not caption.startswith(("extrawidth", "separator"))]
    return [line for part in window.text.split("\n") for line in textwrap.wrap(part, 78) or [""]]


def _height(window: Shown) -> float:
    row = _ROW if window.kind == "inputs" else _LINE
    return _TITLE + row * len(_lines(window)) + 0.62


def _draw_window(axes: Axes, window: Shown, left: float, top: float) -> None:
    axes.add_patch(Rectangle((left, top), _WIDTH, _height(window), facecolor="#f7f7f7", edgecolor="#555", linewidth=1))
    axes.add_patch(Rectangle((left, top), _WIDTH, _TITLE, facecolor="#d5d8dc", edgecolor="#555", linewidth=1))
    axes.text(left + 0.1, top + _TITLE / 2, window.title[:88], fontsize=7.5, va="center", weight="bold")
    at = top + _TITLE + 0.1
    for place, line in enumerate(_lines(window)):
        if window.kind == "inputs":
            axes.text(left + 0.1, at + _ROW / 2, line, fontsize=7.5, va="center")
            field = (left + _WIDTH / 2, at + 0.03)
            axes.add_patch(
                Rectangle(field, _WIDTH / 2 - 0.1, _ROW - 0.06, facecolor="white", edgecolor="#999", linewidth=0.7)
            )
            text = window.defaults[place] if window.answer is None else str(window.answer[place])
            axes.text(field[0] + 0.07, at + _ROW / 2, text[:44], fontsize=7.5, va="center", family="monospace")
            at += _ROW
        else:
            axes.text(left + 0.1, at + _LINE / 2, line.replace("$", r"\$"), fontsize=7.5, va="center")
            at += _LINE
    buttons = _BUTTONS["inputs"] if window.kind == "inputs" else _buttons_of(window)
    for place, button in enumerate(reversed(buttons)):
        x, y = left + _WIDTH - 0.95 * (place + 1), top + _height(window) - 0.38
        axes.add_patch(Rectangle((x, y), 0.85, 0.28, facecolor="#e4e4e4", edgecolor="#777", linewidth=0.7))
        axes.text(x + 0.425, y + 0.14, button, fontsize=7.5, va="center", ha="center")


def _buttons_of(window: Shown) -> tuple[str, ...]:
    if "No:" in window.text:
        return ("Yes", "No", "Cancel")
    return ("Yes", "No") if window.answer in ("Yes", "No") else ("OK",)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        print("draw_tour: give one existing folder for the images, such as docs/images", file=sys.stderr)
        raise SystemExit(2)
    main(Path(sys.argv[1]))
