"""Print which files or tracks are in which bus, before a song is worked on."""

from __future__ import annotations

import shlex
from argparse import Namespace
from pathlib import Path

from analysis_server.terminal import Terminal

_MOST_NAMES = 6


def print_short(arguments: Namespace, terminal: Terminal, *songs: str) -> None:
    """Print the buses of each song with their files or tracks, as the names and `--bus` say.

    Nothing is printed with `--json`, or for what is not a song: the work reports that.
    """
    if terminal.as_json:
        return
    from analysis_server.paths import is_project
    from analysis_server.verbs import buses
    from core.audio.song import holds_stems
    from core.errors import InputError

    chosen = {name: role for role, name in arguments.bus}
    for song in songs:
        try:
            if not is_project(song) and not holds_stems(Path(song)):
                continue
            result = buses.run(buses.BusesRequest(path=song))
        except (InputError, OSError):
            continue
        if isinstance(result, buses.FileRoles):
            rows = [(row.file, chosen.get(row.file, row.bus)) for row in result.files]
        else:
            rows = [
                (f"{row.track} {row.name}", chosen.get(row.name, chosen.get(str(row.track), row.bus)))
                for row in result.tracks
            ]
        by_bus: dict[str, list[str]] = {}
        for name, bus in rows:
            by_bus.setdefault(bus or "no bus", []).append(name)
        terminal.say(f"Buses of {Path(song).name or song} (faderwise buses {shlex.quote(song)} shows why):")
        terminal.table(
            ("bus", "files" if isinstance(result, buses.FileRoles) else "tracks"),
            [
                (
                    bus,
                    ", ".join(names[:_MOST_NAMES])
                    + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""),
                )
                for bus, names in by_bus.items()
            ],
            align="ll",
        )
        terminal.say()
