"""The tables of docs/reference/accuracy.md: means over songs, with confidence intervals.

A confidence interval is the middle 95 % of the means of 10,000 samples of songs, drawn with replacement (bootstrap);
scrambles and excerpts of one production are one song. A difference is called significant where the interval of the
songs' differences leaves out 0.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ROCK = "<!-- rock matrices: python benchmarks/accuracy.py --write -->", "<!-- end of rock matrices -->"
SCRAMBLED = (
    "<!-- scrambled songs: python benchmarks/accuracy.py --songs DIR --write -->",
    "<!-- end of scrambled songs -->",
)
"""The beginning and the end of the tables in the page."""
AGAINST = "equal RMS level"
N_SAMPLES = 10_000


@dataclass
class Row:
    """One predictor's errors: per song a list of (MSE, balance in dB)."""

    songs: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, song: str, mse: float, balance_db: float) -> None:
        """Take in a song's, or one scramble's, errors."""
        self.songs.setdefault(song, []).append((mse, balance_db))

    def per_song(self, measure: int) -> np.ndarray:
        """Return the songs' means of a measure (0: MSE, 1: balance), shape (n_songs,)."""
        return np.array([np.nanmean([errors[measure] for errors in found]) for found in self.songs.values()])

    def without(self, songs: Container[str]) -> Row:
        """Return the row without these songs."""
        return Row({song: errors for song, errors in self.songs.items() if song not in songs})


@dataclass(frozen=True)
class Table:
    """All predictors on one set of songs."""

    title: str
    rows: dict[str, Row]
    misleading: dict[str, str] = field(default_factory=dict)
    """Songs that are listed, but left out of every mean, and why."""

    @property
    def scored(self) -> dict[str, Row]:
        """The rows without the misleading songs."""
        return {name: row.without(self.misleading) for name, row in self.rows.items()}


@dataclass(frozen=True)
class Report:
    """The figures of one kind of songs."""

    tables: list[Table]
    coverage: dict[str, float]
    learning_curve: dict[str, dict[str, float]] = field(default_factory=dict)


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the bootstrap's 95 % interval of the mean of `values` (n_songs,)."""
    drawn = np.random.default_rng(0).integers(0, len(values), (N_SAMPLES, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def text(report: Report) -> str:
    """Return the tables, Markdown."""
    parts = [_table(table) for table in report.tables]
    parts += [_per_song(table) for table in report.tables]
    parts.append(_coverage(report.coverage))
    if report.learning_curve:
        parts.append(_curve(report.learning_curve))
    return "\n\n".join(parts)


def write(path: Path, tables: str, marks: tuple[str, str]) -> None:
    """Put `tables` between the marks in the page at `path`."""
    begin, end = marks
    page = path.read_text(encoding="utf-8")
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    path.write_text(f"{before}{begin}\n\n{tables}\n\n{end}{after}", encoding="utf-8")


def _table(table: Table) -> str:
    rows = table.scored
    n_songs = len(rows[AGAINST].songs)
    lines = [
        f"### {table.title[0].upper()}{table.title[1:]}, {n_songs} songs",
        "",
        f"| | MSE | 95 % | balance, dB | 95 % | against {AGAINST}, dB | worst song against {AGAINST}, dB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    reference = rows[AGAINST].per_song(1)
    for name, row in rows.items():
        mse, balance = row.per_song(0), row.per_song(1)
        differences = balance - reference
        lines.append(
            f"| {name} | {_number(mse.mean())} | {range_of(interval(mse))} | {balance.mean():.2f} | "
            f"{range_of(interval(balance))} | {difference(differences)} | {differences.max():+.2f} |"
        )
    return "\n".join(lines)


def _per_song(table: Table) -> str:
    ours = [name for name in table.rows if name.startswith("ours")]
    names = [AGAINST, *ours]
    lines = [
        f"Balance error per song, dB, {table.title}:",
        "",
        "| song | " + " | ".join(names) + " |",
        "| --- |" + " --- |" * len(names),
    ]
    for index, song in enumerate(table.rows[AGAINST].songs):
        mark = " (misleading)" if song in table.misleading else ""
        values = " | ".join(f"{table.rows[name].per_song(1)[index]:.2f}" for name in names)
        lines.append(f"| {song}{mark} | {values} |")
    medians = " | ".join(f"{np.median(table.scored[name].per_song(1)):.2f}" for name in names)
    return "\n".join([*lines, f"| median | {medians} |"])


def _coverage(coverage: dict[str, float]) -> str:
    lines = ["| true gains inside the 80 % band | share |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {name} | {100.0 * share:.0f} % |" for name, share in coverage.items())])


def _curve(curves: dict[str, dict[str, float]]) -> str:
    steps = list(next(iter(curves.values())))
    heads = [step if not step.isdigit() else f"{step} songs" for step in steps]
    lines = [
        "### Following an engineer with habits",
        "",
        "| balance error, dB | " + " | ".join(heads) + " |",
        "| --- |" + " --- |" * len(steps),
    ]
    rows = (
        f"| {name} | " + " | ".join(f"{curve[step]:.2f}" for step in steps) + " |" for name, curve in curves.items()
    )
    return "\n".join([*lines, *rows])


def difference(values: np.ndarray) -> str:
    """Return a mean difference with its interval, and whether it is significant."""
    if not values.any():
        return "-"
    low, high = interval(values)
    note = "" if low > 0.0 or high < 0.0 else ", not significant"
    return f"{values.mean():+.2f} ({low:+.2f} to {high:+.2f}{note})"


def range_of(bounds: tuple[float, float]) -> str:
    """Return an interval as text."""
    return " to ".join(_number(bound) for bound in bounds)


def _number(value: float) -> str:
    return f"{value:.3f}" if value < 10.0 else f"{value:.0f}"
