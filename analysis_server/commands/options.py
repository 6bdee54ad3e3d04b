"""Options and values that several commands share."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from analysis_server.sources.project import is_project
from analysis_server.terminal import Terminal
from core.automation.render import LOUDEST_LUFS, QUIETEST_LUFS
from core.errors import InputError

SONG_HELP = "a folder with one file a bus: drums, bass, melody, vocals (or synonyms), and perhaps mix"
PROJECT_HELP = f"a REAPER project, or {SONG_HELP}"
RUN_HELP = "a project with runs of Faderwise in it, or a folder that mix or match wrote"

Verbs = Any
"""What `argparse.ArgumentParser.add_subparsers` gives; its class is private."""
Run = Callable[[argparse.Namespace, Terminal], None]


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and end the program with exit code 2."""
        print(f"faderwise: {message}; see {self.prog} --help", file=sys.stderr)
        raise SystemExit(2)


def add_verb(verbs: Verbs, name: str, run: Run, says: str, examples: str) -> argparse.ArgumentParser:
    """Add a verb: what it says of itself, lines of examples, and what every verb understands."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=says,
        description=f"{says[0].upper()}{says[1:]}.",
        epilog=f"for example:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_json(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)
    return parser


def add_action(actions: Verbs, name: str, run: Run, says: str, *positionals: str) -> argparse.ArgumentParser:
    """Add an action of a verb, such as `models list`, with its positional arguments."""
    parser: argparse.ArgumentParser = actions.add_parser(name, help=says, description=f"{says.capitalize()}.")
    for positional in positionals:
        parser.add_argument(positional, metavar=positional.upper())
    _add_json(parser)
    parser.set_defaults(run=run)
    return parser


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", dest="as_json", action="store_true", help="the result as one JSON object")


def bus(text: str) -> tuple[str, str]:
    """Return role and file of ``ROLE=FILE``."""
    role, equals, file = text.partition("=")
    if not (role.strip() and equals and file.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} is no ROLE=FILE, such as vocals=lead.wav")
    return role.strip(), file.strip()


def range_s(text: str) -> tuple[float, float]:
    """Return start and end in seconds of ``12.5:60`` or ``0:45-2:10``."""
    start, dash, end = text.partition("-")
    if not dash:
        start, _, end = text.partition(":")
    try:
        return _seconds(start), _seconds(end)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no range, such as 12.5:60 or 0:45-2:10") from None


def minutes(text: str) -> float:
    """Return a time in minutes, 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes, such as 30; 0 is never")
    return value


def days(text: str) -> float:
    """Return a time in days, 0 or more."""
    value = _number(text, f"{text!r} is no number of days, such as 30")
    if value < 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days, such as 30; 0 is now")
    return value


def lufs(text: str) -> float:
    """Return a loudness in LUFS."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not QUIETEST_LUFS <= value <= LOUDEST_LUFS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no loudness between {QUIETEST_LUFS:g} and {LOUDEST_LUFS:g} LUFS, such as -14"
        )
    return value


def percent(text: str) -> float:
    """Return a number of percent, with or without the sign."""
    return _number(text.removesuffix("%").strip(), f"{text!r} is no number of percent, such as 50")


def decibels(text: str) -> float:
    """Return a number of decibels, with or without the unit."""
    plain = re.sub(r"\s*dB$", "", text.strip(), flags=re.IGNORECASE)
    return _number(plain, f"{text!r} is no number of decibels, such as 3")


def seconds(text: str) -> float:
    """Return a number of seconds, with or without the unit."""
    return _number(re.sub(r"\s*s$", "", text.strip()), f"{text!r} is no number of seconds, such as 4")


def offset(text: str) -> tuple[str, float]:
    """Return bus and decibels of ``ROLE=DB``."""
    role, equals, amount = text.partition("=")
    if not (role.strip() and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is no ROLE=DB, such as vocals=1.5")
    return role.strip(), decibels(amount)


def stretch(start_s: float | None, end_s: float | None) -> str:
    """Return a stretch in words; None is where it goes on to the song's own start or end."""
    if start_s is None and end_s is None:
        return "throughout"
    if start_s is None:
        return f"up to {end_s:.1f} s"
    return f"from {start_s:.1f} s on" if end_s is None else f"from {start_s:.1f} to {end_s:.1f} s"


def _number(text: str, complaint: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(complaint)
    return value


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(?:(\d+):)?(\d+(?:\.\d+)?)", text.strip())
    if found is None:
        raise ValueError(text)
    return 60.0 * float(found[1] or 0) + float(found[2])


Chosen = Sequence[tuple[str, str]]


def files_by_role(chosen: Chosen) -> dict[str, str]:
    """Return each role's file.

    Raises
    ------
    InputError
        A role was given twice.
    """
    roles = [role for role, _ in chosen]
    twice = sorted({role for role in roles if roles.count(role) > 1})
    if twice:
        raise InputError(f"--bus {twice[0]}=... was given twice", remedy="a stem is one file, so sum them first")
    return dict(chosen)


def files_of(chosen: Chosen, *songs: str) -> dict[str, str]:
    """Return each role's file, where `songs` are folders; none where they are projects.

    Raises
    ------
    InputError
        Files and tracks are mixed, or a role was given twice.
    """
    if chosen and len({is_project(song) for song in songs}) > 1:
        raise InputError(
            "--bus means a file in a song's folder and a track in a project", remedy="learn from one kind at a time"
        )
    return {} if all(map(is_project, songs)) else files_by_role(chosen)


def tracks_of(chosen: Chosen, *songs: str) -> dict[str, list[str]]:
    """Return each role's tracks, where `songs` are projects; none where they are folders."""
    if not all(map(is_project, songs)):
        return {}
    tracks: dict[str, list[str]] = {}
    for role, track in chosen:
        tracks.setdefault(role, []).append(track)
    return tracks


def add_song_options(parser: argparse.ArgumentParser) -> None:
    """Add what `mix` and `match` share: the song, where its outcome goes, buses, stems, a dry run."""
    parser.add_argument("song", metavar="SONG_DIR|SESSION.RPP", help=PROJECT_HELP)
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="the folder to write to (the song's name and -faderwise; a project's copy goes beside the project)",
    )
    add_bus_option(parser)
    add_stems_option(parser)
    parser.add_argument("--dry-run", action="store_true", help="tell what would come out, write nothing")


def song_fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what `add_song_options` added as the fields of a `SongRequest`.

    Raises
    ------
    InputError
        A role of a song folder was given twice.
    """
    return {
        "song": arguments.song,
        "out": arguments.out,
        "buses": files_of(arguments.buses, arguments.song),
        "dry_run": arguments.dry_run,
        "stems": arguments.stems,
        "tracks": tracks_of(arguments.buses, arguments.song),
    }


def add_stems_option(parser: argparse.ArgumentParser) -> None:
    """Add `--stems`."""
    parser.add_argument(
        "--stems", metavar="SONG_DIR", help="the bus stems exported from a project (default: summed from its media)"
    )


def add_bus_option(parser: argparse.ArgumentParser) -> None:
    """Add `--bus`."""
    parser.add_argument(
        "--bus",
        dest="buses",
        action="append",
        default=[],
        type=bus,
        metavar="ROLE=FILE|TRACK",
        help="this file plays that role, or this track of a project, by name or number (may be repeated)",
    )


def add_mixdown_option(parser: argparse.ArgumentParser) -> None:
    """Add `--mixdown`."""
    parser.add_argument(
        "--mixdown", metavar="FILE", help="the mixdown, where it is not a song's mix file or found beside a project"
    )


def add_table_option(parser: argparse.ArgumentParser) -> None:
    """Add `--out`, the one file of a table."""
    parser.add_argument("--out", required=True, metavar="FILE.csv|.npz", help="the file to write")


def add_dask_option(parser: argparse.ArgumentParser) -> None:
    """Add `--dask`."""
    parser.add_argument("--dask", metavar="ADDRESS", help="a dask scheduler whose workers analyse the songs")


def add_preset_option(parser: argparse.ArgumentParser, default: str | None = "default") -> None:
    """Add `--preset`."""
    parser.add_argument(
        "--preset",
        choices=("default", "paper"),
        default=default,
        help="paper: as Zafrin & Chudwick (2015) did it",
    )


def add_feature_options(parser: argparse.ArgumentParser, preset_default: str | None = "default") -> None:
    """Add `--preset` and `--features`."""
    add_preset_option(parser, preset_default)
    parser.add_argument(
        "--features",
        choices=("condition1", "condition2", "condition3"),
        help="the feature set (default: the preset's)",
    )
