"""`faderwise reaper` on the command line."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import msgspec

from analysis_server.commands.options import Parser, Run, Verbs, add_action, add_verb
from analysis_server.paths import home
from analysis_server.reaper_setup import packages, reapack
from analysis_server.reaper_setup.actions import actions_in
from analysis_server.reaper_setup.commands import Talk, set_up, take_back
from analysis_server.reaper_setup.scripts import Application, bundled_scripts, package_files, script_files
from analysis_server.terminal import Terminal
from core import __version__
from core.errors import FaderwiseError, InputError


class _Written(msgspec.Struct, kw_only=True):
    files: list[str]


class _Told(msgspec.Struct, kw_only=True):
    folders: list[str]
    told: list[str]


def add(verbs: Verbs) -> None:
    """Add the verb and its actions."""
    parser = add_verb(
        verbs,
        "reaper",
        _install,
        "put the actions into REAPER, take them out, or publish them for ReaPack",
        "  faderwise reaper install --dry-run\n  faderwise reaper install\n  faderwise reaper uninstall\n"
        "  faderwise reaper index --url https://example.org/faderwise --out reapack",
    )
    _add_answers(parser)
    actions = parser.add_subparsers(dest="action", metavar="install|uninstall|index", parser_class=Parser)
    _add_answers(_action(actions, "install", _install, "put the actions into REAPER, or bring them up to date"))
    _add_answers(_action(actions, "uninstall", _uninstall, "take out exactly what was added"))
    index = _action(actions, "index", _index, "make a folder of files and an index.xml for ReaPack, to put on the web")
    index.add_argument("--url", required=True, metavar="URL", help="where that folder will be found")
    index.add_argument("--out", default="reapack", metavar="DIR", help="the folder to write to (reapack)")
    index.add_argument("--changelog", metavar="FILE", help="a file with this version's changes below its heading")


def _action(actions: Verbs, name: str, run: Run, says: str) -> argparse.ArgumentParser:
    parser = add_action(actions, name, run, says)
    parser.description = f"{says[0].upper()}{says[1:]}."
    return parser


def _add_answers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="tell every change, make none")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _install(arguments: argparse.Namespace, terminal: Terminal) -> None:
    told: list[str] = []
    application = Application(Path(sys.executable).absolute(), home().absolute())
    folders = set_up(application, _talk(arguments, terminal, told), dry_run=arguments.dry_run)
    terminal.give(_Told(folders=[str(folder) for folder in folders], told=told))


def _uninstall(arguments: argparse.Namespace, terminal: Terminal) -> None:
    told: list[str] = []
    folders = take_back(home().absolute(), _talk(arguments, terminal, told), dry_run=arguments.dry_run)
    terminal.give(_Told(folders=[str(folder) for folder in folders], told=told))


def _index(arguments: argparse.Namespace, terminal: Terminal) -> None:
    scripts = bundled_scripts()
    files = script_files(scripts) | package_files(packages.get(home().absolute(), Path(sys.executable)))
    changes = _changes(Path(arguments.changelog)) if arguments.changelog else ""
    release = reapack.Release(__version__, files, actions_in(scripts), arguments.url, changes)
    written = reapack.write_repository(Path(arguments.out), release)
    if found := reapack.faults(Path(arguments.out), arguments.url):
        raise FaderwiseError(f"{arguments.out}: ReaPack would not take this: {'; '.join(found)}")
    terminal.say(f"{len(written)} files for ReaPack; put {arguments.out} on the web, so that this is the index:")
    terminal.say(f"  {arguments.url.rstrip('/')}/{reapack.INDEX}")
    terminal.give(_Written(files=[str(path) for path in written]))


def _changes(file: Path) -> str:
    """Return what a list of changes says of this version."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({error})", path=file, remedy="name a text file") from error
    found = re.search(rf"^##+ {re.escape(__version__)}\b.*?\n(.*?)(?=^##? |\Z)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise InputError(f"has no heading `## {__version__}`", path=file, remedy="write what has changed below one")
    return found[1].strip()


def _talk(arguments: argparse.Namespace, terminal: Terminal, told: list[str]) -> Talk:
    def say(line: str) -> None:
        told.append(line)
        terminal.say(line)

    return Talk(say, lambda question: arguments.yes or terminal.ask(question))
