"""Memory of large sessions: `python benchmarks/long.py [--minutes 60] [--against 6] [--buses 8] [--case ...] [--json]`.

Each case is a whole command in a separate process, on a long and on a short song of the same buses:

mix          `faderwise mix` on stems: measuring, predicting, writing mix.wav, the curves and the report
match        `faderwise match` on stems and their mixdown
project      `faderwise mix SESSION.RPP`: the stems are summed from the project's media first
tracks       `faderwise mix SESSION.RPP --level tracks`: 300 tracks of 12 items each, 2 minutes, in folders by bus; the
             short song has a tenth of the tracks

Prints the peak of the resident memory of the whole process tree, and its ratio to that of the short song. A song of
60 minutes and 8 buses needs 8 GB of disk (stems, sums and mixes) in `--folder`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import material
from benchmarks.goals import Goal

MEMORY_GOAL_MB, GROWTH_GOAL = 400.0, 2.0
CASES = ("mix", "match", "project", "tracks")
N_TRACKS, N_ITEMS, TRACKS_MINUTES = 300, 12, 2.0
_N_BUSES = 8
_RUN = "import sys; from analysis_server.cli import main; sys.exit(main())"
_EVERY_S = 0.05


def rows(
    folder: Path, *, minutes: float, against: float, n_buses: int = _N_BUSES, cases: tuple[str, ...] = CASES
) -> Iterator[Goal]:
    """Yield two rows per case: the long song's peak, and its ratio to the short song's."""
    buses = material.MORE_BUSES[:n_buses]
    lengths = (against, minutes) if set(cases) - {"tracks"} else ()
    songs = {length: _song(folder, length, buses) for length in lengths}
    if "tracks" in cases:
        sessions = [
            _session_of_tracks(folder / f"{n_tracks} tracks", n_tracks) for n_tracks in (N_TRACKS // 10, N_TRACKS)
        ]
        few_mb, many_mb = (peak_mb("tracks", session, folder) for session in sessions)
        what = f"tracks, {TRACKS_MINUTES:g} min x {N_TRACKS} tracks of {N_ITEMS} items"
        yield Goal(f"{what}: peak memory", many_mb, MEMORY_GOAL_MB, at_least=False, unit="MB")
        yield Goal(f"{what}: times the peak of {N_TRACKS // 10} tracks", many_mb / few_mb, GROWTH_GOAL, at_least=False)
    for case in [case for case in cases if case != "tracks"]:
        short_mb, long_mb = (peak_mb(case, song, folder) for song in songs.values())
        what = f"{case}, {minutes:g} min x {n_buses} buses"
        yield Goal(f"{what}: peak memory", long_mb, MEMORY_GOAL_MB, at_least=False, unit="MB")
        yield Goal(f"{what}: times the peak of {against:g} min", long_mb / short_mb, GROWTH_GOAL, at_least=False)


def peak_mb(case: str, song: Path, folder: Path) -> float:
    """Run a case and return the peak of its process tree's resident memory.

    Raises
    ------
    RuntimeError
        The command failed.
    """
    if case == "tracks":
        words = ["mix", str(song), "--level", "tracks"]
    else:
        words = ["match" if case == "match" else "mix", str(_session(song) if case == "project" else song)]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        environment = {**os.environ, "FADERWISE_HOME": f"{scratch}/home", "TMPDIR": scratch}
        environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
        command = [sys.executable, "-c", _RUN, *words, "--out", f"{scratch}/out", "--quiet"]
        child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603 - our own program
        peak = _watched(child)
    if child.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} ended with {child.returncode}")
    return peak


def _watched(child: subprocess.Popen[bytes]) -> float:
    peak_bytes = 0
    process = psutil.Process(child.pid)
    while child.poll() is None:
        peak_bytes = max(peak_bytes, sum(_resident(one) for one in [process, *_children(process)]))
        time.sleep(_EVERY_S)
    return peak_bytes / 1e6


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _song(folder: Path, minutes: float, buses: tuple[str, ...]) -> Path:
    place = folder / f"{minutes:g} minutes"
    return place if place.is_dir() else material.write_song(place, seconds=60.0 * minutes, buses=buses)


def _session(song: Path) -> Path:
    """Write a project next to the song's stems that plays them, one track each."""
    stems = [path for path in sorted(song.glob("*.wav")) if path.stem != "mix"]
    seconds = float(song.name.split()[0]) * 60.0
    tracks = [
        f'  <TRACK\n    NAME "{path.stem}"\n    VOLPAN 1 0 -1 -1 1\n    MAINSEND 1 0\n    <ITEM\n      POSITION 0\n'
        f'      LENGTH {seconds}\n      <SOURCE WAVE\n        FILE "{path.name}"\n      >\n    >\n  >\n'
        for path in stems
    ]
    project = song / "Session.RPP"
    project.write_text(f'<REAPER_PROJECT 0.1 "7.0" 1\n  SAMPLERATE 44100 1 0\n{"".join(tracks)}>\n', encoding="utf-8")
    return project


def _session_of_tracks(folder: Path, n_tracks: int) -> Path:
    """Write a project of folder tracks for the buses, with single tracks that play parts of a stem as several items."""
    material.write_song(folder, seconds=30.0)
    per_bus = n_tracks // len(material.BUSES)
    length_s = 60.0 * TRACKS_MINUTES / N_ITEMS
    lines = []
    for bus in material.BUSES:
        lines.append(f"  <TRACK\n    NAME {bus}\n    VOLPAN 1 0 -1 -1 1\n    ISBUS 1 1\n    MAINSEND 1 0\n  >\n")
        for number in range(per_bus):
            items = "".join(
                f"    <ITEM\n      POSITION {index * length_s}\n      LENGTH {length_s}\n      SOFFS {number % 15}\n"
                f'      <SOURCE WAVE\n        FILE "{bus}.wav"\n      >\n    >\n'
                for index in range(N_ITEMS)
            )
            last = "    ISBUS 2 -1\n" if number == per_bus - 1 else ""
            name = f'    NAME "{bus} {number + 1}"\n    VOLPAN 0.5 0 -1 -1 1\n'
            lines.append(f"  <TRACK\n{name}{last}    MAINSEND 1 0\n{items}  >\n")
    project = folder / "Session.RPP"
    project.write_text(f'<REAPER_PROJECT 0.1 "7.0" 1\n  SAMPLERATE 44100 1 0\n{"".join(lines)}>\n', encoding="utf-8")
    return project


def main() -> int:
    """Run the cases and print their rows; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--against", type=float, default=6.0, help="the short song's minutes")
    parser.add_argument("--buses", type=int, default=_N_BUSES)
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--folder", type=Path, help="where the songs are made; what is there already is used")
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faderwise-long-") as scratch:
        folder = asked.folder or Path(scratch)
        cases = tuple(asked.case or CASES)
        found = []
        for row in rows(folder, minutes=asked.minutes, against=asked.against, n_buses=asked.buses, cases=cases):
            found.append(row)
            print(row, file=sys.stderr if asked.json else sys.stdout, flush=True)
    if asked.json:
        json.dump([asdict(row) | {"is_met": row.is_met} for row in found], sys.stdout, indent=1)
    return int(not all(row.is_met for row in found))


if __name__ == "__main__":
    raise SystemExit(main())
