"""Tables as text for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analysis_server.verbs.evaluate import EvaluateResult
from core.models.model import TrainingSong

_WIDTH = 10


def gains(median_db: Mapping[str, float], n_points: Mapping[str, int] | None = None, n_frames: int = 0) -> str:
    """Return a line a bus: its median gain, and how many points stand for how many frames."""
    lines = []
    for bus, gain_db in median_db.items():
        points = f"   {n_points[bus]} points for {n_frames} frames" if n_points else ""
        lines.append(f"  {bus:<16} {gain_db:+7.2f} dB{points}")
    return "\n".join(lines)


def coefficients(by_bus: Mapping[str, Mapping[str, float]]) -> str:
    """Return a line a bus: what each feature counts."""
    if not by_bus:
        return "  no bus was learned: the model is its rule alone"
    names = list(next(iter(by_bus.values())))
    head = "  " + " " * 16 + "".join(f"{name:>18}" for name in names)
    return "\n".join(
        [
            head,
            *(f"  {bus:<16}" + "".join(f"{row[name]:>18.6g}" for name in names) for bus, row in by_bus.items()),
        ]
    )


def training(songs: Sequence[TrainingSong]) -> str:
    """Return a line a song a model knows."""
    return "\n".join(
        f"  {song.title:<40} {song.duration_s:7.1f} s  from {song.source}, fit {100 * song.fit:5.1f} %, "
        f"{', '.join(song.triangles)}"
        for song in songs
    )


def evaluation(result: EvaluateResult) -> str:
    """Return the paper's table of mean squared errors, and the baselines'."""
    head = _row("MSE", result.buses, "balance")
    lines = [f"Preset {result.preset}, {result.features}; trained on {result.trained_on}.", head]
    for title, row in result.songs.items():
        lines.append(_row(title, [_mse(row.get(bus)) for bus in result.buses], _db(result.balance_db[title])))
    known = [value for value in result.balance_db.values() if value is not None]
    mean_db = sum(known) / len(known) if known else None
    lines.append(_row("mean", [_mse(result.mean[bus]) for bus in result.buses], _db(mean_db)))
    lines.append(_row("spread", [_mse(result.std[bus]) for bus in result.buses], ""))
    lines += ["", _row("Simple rules, mean", result.buses, "balance")]
    for name, rule in result.baselines.items():
        lines.append(_row(name, [_mse(rule.mse.get(bus)) for bus in result.buses], _db(rule.balance_db)))
    return "\n".join(lines)


def _row(name: str, cells: Sequence[str], last: str) -> str:
    return f"  {name[:38]:<38}" + "".join(f"{cell[:_WIDTH]:>{_WIDTH + 1}}" for cell in [*cells, last])


def _mse(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _db(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} dB"
