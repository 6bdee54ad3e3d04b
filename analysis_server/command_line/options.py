"""Options that several verbs have."""

from __future__ import annotations

import argparse
from typing import Any

from analysis_server.command_line import values
from analysis_server.command_line.buses import files_of, tracks_of
from analysis_server.command_line.grammar import PROJECT_HELP


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
        type=values.bus,
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
