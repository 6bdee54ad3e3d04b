"""Run all benchmarks: `python benchmarks/all.py [--only SECTION] [--quick] [--write]`.

Prints speed, memory, estimation, accuracy and server load next to their goals, mostly as ratios. `--write` puts each
section on docs/development/benchmarks.md as soon as it is measured, so `--only` renews one of them.
`--quick` measures shorter songs and less load, and notes this on the page.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import accuracy, commands, estimation, long, server, speed
from benchmarks.accuracy_page import AGAINST, Table
from benchmarks.goals import Goal

PAGE = Path(__file__).resolve().parents[1] / "docs" / "development" / "benchmarks.md"
_ERROR_GOAL_DB, _LIMITED_GOAL_DB = 0.1, 1.5
_SUMS = ("a sum, 20 s moves", "a sum, 6 s moves", "137 samples late")


@dataclass(frozen=True)
class Section:
    """One benchmark: its title, the command that prints it in detail, and its figures, long or quick."""

    title: str
    command: str
    figures: Callable[[bool], list[Goal]]


def main() -> int:
    """Run the sections, print them and write them to the page if asked to; return 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=tuple(SECTIONS), help="only this section; repeatable")
    parser.add_argument("--quick", action="store_true", help="shorter songs, less load")
    parser.add_argument("--write", action="store_true", help="write the results into docs/development/benchmarks.md")
    asked = parser.parse_args()
    all_met = True
    for name in asked.only or SECTIONS:
        section = SECTIONS[name]
        started = time.monotonic()
        goals = section.figures(asked.quick)
        title = f"{section.title} ({time.monotonic() - started:.0f} s)"
        print("\n".join([title, *(f"  {goal}" for goal in goals), ""]), flush=True)
        if asked.write:
            write(name, table(name, section, goals, quick=asked.quick))
        all_met = all_met and all(goal.is_met for goal in goals)
    return int(not all_met)


def table(name: str, section: Section, goals: list[Goal], *, quick: bool) -> str:
    """Return a section as Markdown."""
    command = f"python benchmarks/all.py --only {name}{' --quick' if quick else ''}"
    lines = [f"## {section.title}", "", f"`{command}`; in detail: `{section.command}`.", ""]
    lines += ["| figure | value | goal | |"]
    lines += ["| --- | --- | --- | --- |", *map(_line, goals)]
    return "\n".join(lines)


def write(name: str, text: str) -> None:
    """Put a section between its marks on the page."""
    page = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = page.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{PAGE}: has no marks {begin} and {end}; put them where the section belongs")
    PAGE.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def _line(goal: Goal) -> str:
    bound = "at least" if goal.at_least else "at most"
    unit = f" {goal.unit}" if goal.unit else ""
    return f"| {goal.name} | {goal.value:.3g}{unit} | {bound} {goal.goal:g} | {'met' if goal.is_met else 'missed'} |"


def _speed(quick: bool) -> list[Goal]:
    return speed.figures(20.0 if quick else 60.0, 3 if quick else 5)[1]


def _commands(quick: bool) -> list[Goal]:
    seconds, repeats = (230.0, 1) if quick else (300.0, 3)
    goals = commands.figures(seconds, 2, repeats, ["small", "mix", "match", "audit", "demo"])
    goals += commands.figures(seconds, 1, repeats, ["mix"])
    return goals if quick else [*goals, *commands.figures(230.0, 2, repeats, ["mix", "install"])]


def _long(quick: bool) -> list[Goal]:
    with tempfile.TemporaryDirectory(prefix="faderwise-long-") as folder:
        minutes = (6.0, 2.0) if quick else (60.0, 6.0)
        return list(long.rows(Path(folder), minutes=minutes[0], against=minutes[1]))


def _estimation(quick: bool) -> list[Goal]:
    del quick  # it takes two minutes
    chosen = [row for row in estimation.rows(0) if row["chosen"]]
    return [_found(row["mixdown"], row["error_db"], row["balance_db"]) for row in chosen]


def _found(mixdown: str, error_db: float, balance_db: float) -> Goal:
    if mixdown in _SUMS:
        return Goal(f"{mixdown}: median error of the gains", error_db, _ERROR_GOAL_DB, at_least=False, unit="dB")
    return Goal(f"{mixdown}: median error of the balance", balance_db, _LIMITED_GOAL_DB, at_least=False, unit="dB")


def _accuracy(quick: bool) -> list[Goal]:
    reports = accuracy.measured(accuracy.SONGS, 1 if quick else 2).values()
    return [goal for report in reports for songs in report.tables for goal in _against_rule_and_paper(songs)]


def _against_rule_and_paper(songs: Table) -> Iterator[Goal]:
    rule, paper = songs.scored[AGAINST], songs.scored["the paper, condition 1"]
    for name, row in songs.scored.items():
        if name.startswith("ours"):
            balance = float(row.per_song(1).mean() / rule.per_song(1).mean())
            error = float(row.per_song(0).mean() / paper.per_song(0).mean())
            yield Goal(f"{songs.title}, {name}: balance error over equal RMS levels'", balance, 1.0, at_least=False)
            yield Goal(f"{songs.title}, {name}: squared error over the paper's", error, 1.0, at_least=False)


def _server(quick: bool) -> list[Goal]:
    clients, requests = (10, 40) if quick else (50, 200)
    return server.figures(server.measured(clients, requests, server.BUNDLED))


SECTIONS = {
    "speed": Section("Analysis: speed, and memory for ten times the length", "python benchmarks/speed.py", _speed),
    "commands": Section("Whole commands", "python benchmarks/commands.py", _commands),
    "long": Section("Long sessions: peak memory of the process tree", "python benchmarks/long.py", _long),
    "estimation": Section("Gains estimated from mixdowns", "python benchmarks/estimation.py", _estimation),
    "accuracy": Section("Gains predicted", "python benchmarks/accuracy.py", _accuracy),
    "server": Section("The server under load", "python benchmarks/server.py", _server),
}


if __name__ == "__main__":
    raise SystemExit(main())
