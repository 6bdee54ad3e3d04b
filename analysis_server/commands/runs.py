"""`faderwise runs` on the command line."""

from __future__ import annotations

import argparse
import time

import msgspec

from analysis_server.commands import options
from analysis_server.commands.options import Parser, Verbs, add_action, add_verb
from analysis_server.outputs import kept_runs
from analysis_server.outputs.kept_runs import KeptRun
from analysis_server.terminal import Terminal

_DAY_S = 86_400.0
_ASKED = (
    "Delete {count}, {size}? Reports, mixes and sounds go; your projects, their history, edits and reverts do not need "
    "them."
)


class _Kept(msgspec.Struct, kw_only=True):
    folder: str
    written_at: str
    bytes: int


class _Listed(msgspec.Struct, kw_only=True):
    folder: str
    runs: list[_Kept]
    bytes: int


class _Cleared(msgspec.Struct, kw_only=True):
    deleted: list[_Kept]
    bytes: int
    left: list[str]


def add(verbs: Verbs) -> None:
    """Add the verb and its actions."""
    parser = add_verb(
        verbs,
        "runs",
        _list,
        "list or clear what REAPER's actions left: reports, mixes, sounds",
        "  faderwise runs list\n  faderwise runs clear --dry-run\n  faderwise runs clear --older-than 7",
    )
    actions = parser.add_subparsers(dest="action", metavar="list|clear", parser_class=Parser)
    add_action(actions, "list", _list, "list the folders, the oldest first, and what they take")
    clear = add_action(
        actions, "clear", _clear, "delete old ones: no project needs them, only an audit loses its sound"
    )
    clear.add_argument(
        "--older-than", type=options.days, default=30.0, metavar="DAYS", help="last written so long ago (30; 0: all)"
    )
    clear.add_argument("--dry-run", action="store_true", help="tell what would go, delete nothing")
    clear.add_argument("--yes", action="store_true", help="do not ask")


def _list(_arguments: argparse.Namespace, terminal: Terminal) -> None:
    runs = kept_runs.kept_runs(kept_runs.folder())
    _say(runs, terminal)
    terminal.say(f"{_count(runs)}, {_size(runs)} in {kept_runs.folder()}")
    listed = [_facts(run) for run in runs]
    terminal.give(_Listed(folder=str(kept_runs.folder()), runs=listed, bytes=_bytes(runs)))


def _clear(arguments: argparse.Namespace, terminal: Terminal) -> None:
    latest = time.time() - arguments.older_than * _DAY_S
    old = [
        run for run in kept_runs.kept_runs(kept_runs.folder()) if run.written_at <= latest and not run.is_being_written
    ]
    _say(old, terminal)
    question = _ASKED.format(count=_count(old), size=_size(old))
    goes = bool(old) and not arguments.dry_run and (arguments.yes or terminal.ask(question))
    left = [str(path) for run in old for path in kept_runs.delete(run)] if goes else []
    verb = "deleted" if goes else "would go" if arguments.dry_run else "kept" if old else "are that old"
    terminal.say(f"{_count(old)} {verb}, {_size(old)}")
    for path in left:
        terminal.warn(f"{path} is not Faderwise's and stays")
    gone = old if goes else []
    terminal.give(_Cleared(deleted=[_facts(run) for run in gone], bytes=_bytes(gone), left=left))


def _say(runs: list[KeptRun], terminal: Terminal) -> None:
    for run in runs:
        terminal.say(f"  {_day(run)}  {_size([run]):>9}  {run.folder.name}")


def _facts(run: KeptRun) -> _Kept:
    return _Kept(folder=str(run.folder), written_at=_day(run), bytes=run.n_bytes)


def _day(run: KeptRun) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(run.written_at))


def _count(runs: list[KeptRun]) -> str:
    return f"{len(runs) or 'no'} run{'' if len(runs) == 1 else 's'}"


def _size(runs: list[KeptRun]) -> str:
    return f"{_bytes(runs) / 1e6:.1f} MB"


def _bytes(runs: list[KeptRun]) -> int:
    return sum(run.n_bytes for run in runs)
