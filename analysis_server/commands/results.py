"""Print the results of mix, match, learn and evaluate."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from analysis_server.runs.kept_runs import earlier_runs
from analysis_server.terminal import Terminal, count

if TYPE_CHECKING:
    from analysis_server.report.bus_results import BusResult
    from analysis_server.verbs.evaluate import EvaluateResult
    from analysis_server.verbs.learn import LearnResult
    from analysis_server.verbs.match import MatchResult
    from analysis_server.verbs.mix import MixResult
    from core.models.model import Model


def print_mix(result: MixResult, terminal: Terminal, *, opens: bool = False) -> None:
    """Print the result of `mix`."""
    terminal.say(f"{result.title}: {_after_colon(result.headline)}")
    _print_buses(result.buses, terminal)
    terminal.say(
        f"Mix: loudness {result.loudness_before_lufs:.1f} → {result.loudness_after_lufs:.1f} LUFS, "
        f"true peak {result.true_peak_dbtp:.1f} dBTP; model {result.model}."
    )
    terminal.warn_all(result.warnings)
    _print_next(result.files, terminal, opens=opens)
    terminal.give(result)


def print_match(result: MatchResult, terminal: Terminal, *, opens: bool = False) -> None:
    """Print the result of `match`."""
    terminal.say(f"{result.title}: {_after_colon(result.headline)}")
    _print_buses(result.buses, terminal)
    terminal.say(f"The gains explain {100 * result.fit:.1f} % of the mixdown ({result.reason}).")
    if result.lag_samples:
        terminal.say(f"The mixdown's delay of {count(result.lag_samples, 'sample')} was removed.")
    if result.limiter_db > 0.0:
        terminal.say(f"The mixdown's limiter, up to {result.limiter_db:.1f} dB, is not part of the fader moves.")
    terminal.warn_all(result.warnings)
    _print_next(result.files, terminal, opens=opens)
    terminal.give(result)


def print_learn(result: LearnResult, terminal: Terminal, *, is_dry_run: bool) -> None:
    """Print the result of `learn`."""
    terminal.warn_all(result.warnings)
    would = "would now know" if is_dry_run else "now knows"
    terminal.say(
        f"{result.model} {would} {count(len(result.songs), 'song')}, {len(result.learned)} of them from this command."
    )
    _print_habits(result.model, result.coefficients, len(result.songs), terminal)
    terminal.say(f"  {result.file}")
    terminal.give(result)


def print_model(model: Model, terminal: Terminal) -> None:
    """Print a model's origin, coefficients and songs."""
    terminal.say(f"{model.name}: preset {model.preset}, features {model.feature_set}, made by {model.made_by}")
    coefficients = model.named_coefficients()
    _print_habits(model.name, coefficients, len(model.songs), terminal)
    _print_coefficients(coefficients, terminal)
    for song in model.songs:
        terminal.say(
            f"  {song.title:<40} {song.duration_s:7.1f} s  from {song.source}, fit {100 * song.fit:5.1f} %, "
            f"{', '.join(song.triangles)}"
        )


def print_evaluation(result: EvaluateResult, terminal: Terminal) -> None:
    """Print the paper's table of mean squared errors, and that of the baselines."""
    terminal.warn_all(result.warnings)
    terminal.say(result.verdict)
    terminal.say(f"Preset {result.preset}, {result.features}; trained on {result.trained_on}.")
    terminal.say("Buses: mean squared error of the linear gain. Balance: mean error in dB after the common gain.")
    rows = [
        (title[:38], *(_mse(row.get(bus)) for bus in result.buses), _db(result.balance_db[title]))
        for title, row in result.songs.items()
    ]
    known = [value for value in result.balance_db.values() if value is not None]
    mean_db = sum(known) / len(known) if known else None
    rows.append(("mean", *(_mse(result.mean[bus]) for bus in result.buses), _db(mean_db)))
    rows.append(("spread", *(_mse(result.std[bus]) for bus in result.buses), ""))
    terminal.table(("MSE", *result.buses, "balance"), rows)
    terminal.say()
    terminal.table(
        ("Simple rules, mean", *result.buses, "balance"),
        [
            (name, *(_mse(rule.mse.get(bus)) for bus in result.buses), _db(rule.balance_db))
            for name, rule in result.baselines.items()
        ],
    )
    for file in result.files:
        terminal.say(f"  {file}")


def span_text(start_s: float | None, end_s: float | None) -> str:
    """Return a time span in words; None is the song's own start or end."""
    if start_s is None and end_s is None:
        return "throughout"
    if start_s is None:
        return f"up to {end_s:.1f} s"
    return f"from {start_s:.1f} s on" if end_s is None else f"from {start_s:.1f} to {end_s:.1f} s"


def _after_colon(sentence: str) -> str:
    return f"{sentence[:1].lower()}{sentence[1:]}"


def _print_buses(buses: Mapping[str, BusResult], terminal: Terminal) -> None:
    rows = []
    for bus, result in buses.items():
        shown = result.files if len(result.files) < 3 else [result.files[0], f"{len(result.files) - 1} more"]
        band = "" if result.band_db is None else f"±{result.band_db:.1f} dB"
        before, after = (_lufs(value) for value in (result.loudness_before_lufs, result.loudness_after_lufs))
        loudness = "silent" if result.loudness_before_lufs is None else f"{before} → {after} LUFS"
        rows.append((bus, ", ".join(shown), f"{result.gain_db:+.1f} dB", band, loudness))
    terminal.table(("bus", "files", "gain", "80 % band", "loudness"), rows, align="ll")


def _lufs(value: float | None) -> str:
    return "silent" if value is None else f"{value:.1f}"


def _print_next(files: Mapping[str, str], terminal: Terminal, *, opens: bool) -> None:
    """Print where the results are and what can be done with them; open the report if asked to."""
    if not files:
        terminal.say("Dry run: nothing was written.")
        return
    project = next((path for name, path in files.items() if name.lower().endswith(".rpp")), None)
    report = files.get("report.html")
    if report:
        folder = Path(report).absolute().parent
        terminal.say(f"Report: {folder / 'report.html'}")
        terminal.say(f"Results: {folder} ({', '.join(name for name in files if name != 'report.html')})")
        earlier = earlier_runs(folder)
        if earlier:
            terminal.say(f"Earlier: {count(len(earlier), 'run')} in {folder / 'runs'}; see faderwise runs list")
    if project:
        terminal.say(f"Project: {Path(project).absolute()}")
    target = shlex.quote(project or str(Path(report or "").parent))
    terminal.say("Next:")
    terminal.say(f"  faderwise edit {target} --depth 50    half as strong (also --offset, --limit, --smooth)")
    terminal.say(f"  faderwise audit {target}              why each gain was chosen")
    if project:
        terminal.say(f"  faderwise revert {target}             the automation from before")
    if opens and report:
        import webbrowser

        webbrowser.open(Path(report).absolute().as_uri())


def _print_habits(name: str, by_bus: Mapping[str, Mapping[str, float]], n_songs: int, terminal: Terminal) -> None:
    """Print how each bus differs from the default model, and how much one more song would change it."""
    from analysis_server import models

    offsets = {bus: row["offset"] for bus, row in by_bus.items() if "offset" in row}
    if not offsets:
        return
    default = models.find(models.DEFAULT_MODEL).named_coefficients()
    if name != models.DEFAULT_MODEL:
        common = [bus for bus in offsets if "offset" in default.get(bus, {})]
        changes = {bus: offsets[bus] - default[bus]["offset"] for bus in common}
        mean = sum(changes.values()) / max(len(changes), 1)
        moved = [
            f"{bus} {'up' if change > mean else 'down'} {abs(change - mean):.1f} dB"
            for bus, change in changes.items()
            if abs(change - mean) >= 0.1
        ]
        difference = ", ".join(moved) if moved else "no bus by 0.1 dB or more"
        terminal.say(f"Against the default model: {difference}.")
    if n_songs:
        share = 100.0 / (n_songs + 1)
        terminal.say(f"One more song would count for about {share:.0f} % of what the songs say.")


def _print_coefficients(by_bus: Mapping[str, Mapping[str, float]], terminal: Terminal) -> None:
    if not by_bus:
        terminal.say("  no bus was learned: the model is a fixed rule")
        return
    names = list(next(iter(by_bus.values())))
    terminal.table(("", *names), [(bus, *(f"{row[name]:.6g}" for name in names)) for bus, row in by_bus.items()])


def _mse(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _db(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} dB"
