"""The argument parser, options that several commands share and their values, and the request of a command."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from analysis_server.paths import home, is_project
from analysis_server.terminal import Terminal
from core.errors import InputError, suggestion
from core.progress import ProgressCallback
from core.wording import capitalised

SONG_HELP = "a folder of stems or raw tracks, with or without the mixdown, or a stem file (.stem.mp4)"
PROJECT_HELP = f"{SONG_HELP}, or a REAPER project"
RUN_HELP = "a project with a run of Faderwise in it, or a folder that mix or match wrote"

Request = TypeVar("Request")
Result = TypeVar("Result")


class Parser(argparse.ArgumentParser):
    """A parser that raises an `InputError` with the option and suggests the nearest valid choice."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            allow_abbrev=False,
            exit_on_error=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **settings,
        )

    def error(self, message: str) -> NoReturn:
        """Raise an `InputError`."""
        raise InputError(message, remedy=f"see {self.prog} --help")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does; an invalid value is an `InputError` that names its option."""
        try:
            return super().parse_known_args(args, namespace)
        except argparse.ArgumentError as error:
            name = error.argument_name or ""
            is_option = name.startswith("-")
            problem = error.message if is_option or not name or "|" in name else f"{name}: {error.message}"
            remedy = f"see {self.prog} --help"
            raise InputError(problem, option=name.split("/")[-1] if is_option else None, remedy=remedy) from None

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            hint = suggestion(str(value), choices).strip()
            problem = f"{value!r} is not one of {', '.join(choices)}"
            raise argparse.ArgumentError(action, f"{problem} ({hint})" if hint else problem)

    def option_names(self) -> list[str]:
        """Return the names of all options of this parser."""
        return [name for action in self._actions for name in action.option_strings]

    def add_json_option(self) -> None:
        """Add `--json`."""
        self.add_argument("--json", dest="as_json", action="store_true", help="print the result as a JSON object")

    def set_command(self, run: Any, *examples: str) -> None:
        """Set the function that runs the command, and the examples of its help, without the program's name."""
        self.set_defaults(run=run, parser=self)
        self.epilog = "\n".join(["examples:", *(f"  faderwise {example}" for example in examples)])


def add_actions(parser: Parser, names: str) -> Any:
    """Return the subparsers for the actions of a command, such as `models list`."""
    return parser.add_subparsers(dest="action", metavar=names, parser_class=Parser)


def add_action(actions: Any, name: str, run: Any, summary: str, *positionals: str, example: str) -> Parser:
    """Add an action of a command with its positional arguments and the example of its help."""
    parser: Parser = actions.add_parser(name, help=summary, description=f"{capitalised(summary)}.")
    for positional in positionals:
        text = "the model's name or file" if positional == "model" else None
        added = parser.add_argument(positional, metavar=positional.upper(), help=text)
        if positional == "model":
            complete(added, "models")
    parser.add_json_option()
    parser.set_command(run, example)
    return parser


def request_of(kind: type[Request], arguments: argparse.Namespace, **fields: Any) -> Request:
    """Return a request whose fields are the arguments of the same names, and `fields`."""
    names: Sequence[str] = kind.__struct_fields__  # type: ignore[attr-defined]
    given = {name: getattr(arguments, name) for name in names if hasattr(arguments, name)}
    return kind(**{**given, **fields})


def perform(request: Request, here: Callable[[Request, ProgressCallback], Result], terminal: Terminal) -> Result:
    """Return the verb's result for `request`, from the server if one is running; else `here` computes it.

    Raises
    ------
    FaderwiseError
        What the verb raised.
    """
    with terminal.progress() as progress:
        if not (home() / "server" / "connection.json").is_file():
            return here(request, progress)
        from analysis_server.server import client

        result: Result = client.perform(
            request, progress, name="command line", folder=Path.cwd(), starts=False, on_fallback=terminal.warn
        )
        return result


def complete(action: argparse.Action, names: str, ending: str = "") -> None:
    """Have shells complete an argument with the names that `faderwise completion --names NAMES` prints, and with files.

    Parameters
    ----------
    action : the argument.
    names : ``"models"`` or ``"buses"``.
    ending : put after each name, such as the ``=`` of ``--bus drums=``.
    """
    function = f"_faderwise_{names}{'_with_value' if ending else ''}"
    listed = f"faderwise completion --names {names} 2>/dev/null | sed 's/$/{ending}/'"
    bash = f'{function}() {{ local IFS=$\'\\n\'; compgen -W "$({listed})" -- "$1"; compgen -f -- "$1"; }}'
    zsh = f'{function}() {{ compadd -S "" -- ${{(f)"$({listed})"}}; _files }}'
    fish = f"function {function}; {listed}; __fish_complete_path (commandline -ct); end"
    action.complete = {  # type: ignore[attr-defined]  # shtab reads it
        "bash": function,
        "zsh": function,
        "fish": f"({function})",
        "preamble": {"bash": bash, "zsh": zsh, "fish": fish},
    }


# Values


def path(text: str) -> str:
    """Return the path of a song, project or run, which is not empty."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return text


_FILE_ENDINGS = (".csv", ".flac", ".htm", ".html", ".json", ".mp3", ".npz", ".pdf", ".png", ".rpp", ".txt", ".wav")


def out_dir(text: str) -> str:
    """Return the path of a folder to write to, which may not exist yet but does not have the name of a file."""
    if text.lower().endswith(_FILE_ENDINGS) and not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is the name of a file; give a folder, such as {Path(text).stem}")
    return path(text)


def bus(text: str) -> tuple[str, str]:
    """Return role and file or track of ``ROLE=FILE``."""
    return _role_and(text, "ROLE=FILE, such as vocals=lead.wav")


def offset(text: str) -> tuple[str, float]:
    """Return bus and decibels of ``ROLE=DB``."""
    role, amount = _role_and(text, "ROLE=DB, such as vocals=1.5")
    return role, decibels(amount)


def ride(text: str) -> tuple[str, float]:
    """Return bus and percentage of ``ROLE=PERCENT``."""
    role, amount = _role_and(text, "ROLE=PERCENT, such as vocals=60")
    return role, percent(amount)


def _role_and(text: str, expected: str) -> tuple[str, str]:
    role, _, value = map(str.strip, text.partition("="))
    if not role or not value:
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
    return role, value


def range_s(text: str) -> tuple[float, float]:
    """Return start and end in seconds of ``12.5:60`` or ``0:45-2:10``."""
    start, dash, end = text.partition("-")
    if not dash:
        start, _, end = text.partition(":")
    times = [re.fullmatch(r"(?:(\d+):)?(\d+(?:\.\d+)?)", part.strip()) for part in (start, end)]
    if not all(times):
        raise argparse.ArgumentTypeError(f"expected a range, such as 12.5:60 or 0:45-2:10, got {text!r}")
    start_s, end_s = (60.0 * float(found[1] or 0) + float(found[2]) for found in times if found)
    if start_s >= end_s:
        raise argparse.ArgumentTypeError(f"expected a start and a later end, got {text!r}")
    return start_s, end_s


def lufs(text: str) -> float:
    """Return a loudness in LUFS."""
    return _number(text, "a loudness in LUFS, such as -14")


def percent(text: str) -> float:
    """Return a percentage, with or without the sign."""
    return _number(text.removesuffix("%").strip(), "a percentage, such as 50")


def decibels(text: str) -> float:
    """Return a number of decibels, with or without the unit."""
    return _number(re.sub(r"\s*dB$", "", text.strip(), flags=re.IGNORECASE), "a number of decibels, such as 3")


def seconds(text: str) -> float:
    """Return a number of seconds, with or without the unit."""
    return _number(re.sub(r"\s*s$", "", text.strip()), "a number of seconds, such as 4")


def minutes(text: str) -> float:
    """Return a time in minutes, 0 or more."""
    return _number(text, "a number of minutes, such as 30 (0: never)", lowest=0.0)


def days(text: str) -> float:
    """Return a time in days, 0 or more."""
    return _number(text, "a number of days, such as 30 (0: now)", lowest=0.0)


def run_number(text: str) -> int:
    """Return the number of a run, 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected the number of a run, such as 2, got {text!r}")
    return int(text)


def _number(text: str, expected: str, *, lowest: float = -math.inf) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < lowest:
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
    return value


def by_role(chosen: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the files or tracks of each role."""
    found: dict[str, list[str]] = {}
    for role, name in chosen:
        found.setdefault(role, []).append(name)
    return found


def song_fields(arguments: argparse.Namespace, *songs: str) -> dict[str, Any]:
    """Return what `--bus` means for `songs`: files by role in song folders (`buses`), or tracks of projects (`tracks`).

    Raises
    ------
    InputError
        Projects and folders are given together.
    """
    chosen = arguments.bus
    are_projects = {is_project(song) for song in songs}
    if chosen and len(are_projects) > 1:
        problem = "means a file in a song's folder and a track in a project"
        raise InputError(problem, option="--bus", remedy="learn from one kind at a time")
    return {"tracks" if True in are_projects else "buses": by_role(chosen)}


# Options

_SHARED: Mapping[str, Mapping[str, Any]] = {
    "--open": {"action": "store_true", "help": "open the page in the browser"},
    "--dry-run": {"action": "store_true", "help": "show the result without writing anything"},
    "--bus": {
        "action": "append",
        "default": [],
        "type": bus,
        "metavar": "ROLE=FILE|TRACK",
        "help": "put this file, or this track of a project by name or number, into the bus ROLE (may be repeated)",
    },
    "--tracks": {
        "dest": "only",
        "action": "append",
        "default": [],
        "metavar": "TRACK",
        "help": "work on this track of a project only, by name, number or range such as 5-9 (may be repeated)",
    },
    "--stems": {
        "metavar": "SONG_DIR",
        "help": "the bus stems exported from a project (default: summed from its media)",
    },
    "--mixdown": {
        "metavar": "FILE",
        "help": "the mixdown (default: the song folder's mix file, or the file a project was rendered to)",
    },
    "--dask": {"metavar": "ADDRESS", "help": "a dask scheduler whose workers analyse the songs"},
    "--preset": {
        "choices": ("default", "paper"),
        "default": "default",
        "help": "paper: as Zafrin & Chudwick (2015) did it",
    },
    "--mixed-by": {
        "choices": ("me", "others"),
        "default": "me",
        "help": "others: the songs may have different engineers, such as an artist's records; they count less at first",
    },
    "--features": {
        "choices": ("condition1", "condition2", "condition3"),
        "help": "the feature set (default: the preset's)",
    },
}
"""Options of several commands."""


def add_shared(parser: Parser, *names: str) -> None:
    """Add the options `names`, which several commands have."""
    for name in names:
        action = parser.add_argument(name, **_SHARED[name])
        if name == "--bus":
            complete(action, "buses", "=")


def add_out(parser: Parser, text: str, default: str | None = None) -> None:
    """Add the folder to write to; `text` is its help."""
    parser.add_argument("--out", type=out_dir, default=default, metavar="DIR", help=text)


def add_song_options(parser: Parser) -> None:
    """Add what `mix` and `match` share: the song, the output folder, buses, stems, a dry run."""
    parser.add_argument("song", type=path, metavar="SONG_DIR|SESSION.RPP", help=PROJECT_HELP)
    add_out(parser, "the folder to write to (default: the song's name and -faderwise)")
    add_shared(parser, "--bus", "--tracks", "--stems", "--open", "--dry-run")


def add_run_options(parser: Parser) -> None:
    """Add what `edit` and `revert` share: a run, the folder for a project's copy, a dry run."""
    parser.add_argument("target", type=path, metavar="SESSION.RPP|OUT_DIR", help=RUN_HELP)
    add_out(parser, "the folder for a project's copy (default: next to the project)")
    add_shared(parser, "--dry-run")
