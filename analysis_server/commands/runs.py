"""`faderwise runs`."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from analysis_server.commands import options
from analysis_server.terminal import Terminal, count
from core.errors import InputError

if TYPE_CHECKING:
    from analysis_server.runs.kept_runs import KeptRun

EXAMPLES = """\
  faderwise runs list
  faderwise runs list MySong-faderwise
  faderwise runs clear --dry-run
  faderwise runs clear --older-than 7"""
_DAY_S = 86_400.0
_QUESTION = (
    "Delete {count}, {size}? This deletes reports, mixes and sounds; your projects keep their history and can still be "
    "edited and reverted."
)


def add_options(parser: options.Parser) -> None:
    """Add the actions."""
    actions = options.add_actions(parser, "list|clear")
    listed = options.add_action(actions, "list", run, "list the folders of earlier runs, oldest first, and their sizes")
    _add_folder(listed)
    clear = options.add_action(actions, "clear", _clear, "delete old runs; an audit of a project then has no sound")
    _add_folder(clear)
    text = "delete runs last written this many days ago or earlier (30; 0: all)"
    clear.add_argument("--older-than", type=options.days, default=30.0, metavar="DAYS", help=text)
    clear.add_argument("--dry-run", action="store_true", help="show what would be deleted")
    clear.add_argument("--yes", action="store_true", help="do not ask")


def _add_folder(parser: options.Parser) -> None:
    text = "a folder that mix or match wrote, for its earlier runs (default: the runs of REAPER's actions)"
    parser.add_argument("out_dir", nargs="?", metavar="OUT_DIR", help=text)


def _folder_of(arguments: Namespace) -> Path:
    from analysis_server.runs import kept_runs

    if getattr(arguments, "out_dir", None) is None:
        return kept_runs.folder()
    folder = Path(arguments.out_dir)
    if not folder.is_dir():
        raise InputError("no such folder", path=folder, remedy="give a folder that mix or match wrote")
    return folder / kept_runs.NAME


def run(arguments: Namespace, terminal: Terminal) -> None:
    """List the runs in a folder."""
    from analysis_server.runs import kept_runs

    folder = _folder_of(arguments)
    runs = kept_runs.kept_runs(folder)
    _print(runs, terminal)
    terminal.say(f"{count(len(runs), 'run')}, {_size(runs)} in {folder}")
    terminal.give({"folder": str(folder), "runs": [_facts(run) for run in runs], "bytes": _n_bytes(runs)})


def _clear(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server.runs import kept_runs

    latest = time.time() - arguments.older_than * _DAY_S
    runs = kept_runs.kept_runs(_folder_of(arguments))
    old = [run for run in runs if run.written_at <= latest and not run.is_being_written]
    _print(old, terminal)
    number = count(len(old), "run")
    if not old:
        terminal.say("No run is that old.")
    elif arguments.dry_run:
        terminal.say(f"{number} would be deleted, {_size(old)}")
    elif not (arguments.yes or terminal.ask(_QUESTION.format(count=number, size=_size(old)))):
        terminal.say(f"{number} kept, {_size(old)}")
    else:
        left = [str(path) for run in old for path in kept_runs.delete(run)]
        terminal.say(f"{number} deleted, {_size(old)}")
        terminal.warn_all(f"{path} was not made by Faderwise and stays" for path in left)
        terminal.give({"deleted": [_facts(run) for run in old], "bytes": _n_bytes(old), "left": left})
        return
    terminal.give({"deleted": [], "bytes": 0, "left": []})


def _print(runs: list[KeptRun], terminal: Terminal) -> None:
    for run in runs:
        terminal.say(f"  {_day(run)}  {_size([run]):>9}  {run.folder.name}")


def _facts(run: KeptRun) -> dict[str, object]:
    return {"folder": str(run.folder), "written_at": _day(run), "bytes": run.n_bytes}


def _day(run: KeptRun) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(run.written_at))


def _size(runs: list[KeptRun]) -> str:
    return f"{_n_bytes(runs) / 1e6:.1f} MB"


def _n_bytes(runs: list[KeptRun]) -> int:
    return sum(run.n_bytes for run in runs)
