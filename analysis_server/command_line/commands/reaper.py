"""`faderwise reaper` on the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from analysis_server.command_line.grammar import Parser, Run, Verbs, add_action, add_verb
from analysis_server.command_line.terminal import Terminal
from analysis_server.home import home
from analysis_server.reaper_setup.commands import Talk, set_up, take_back
from analysis_server.reaper_setup.scripts import Application


class _Told(msgspec.Struct, kw_only=True):
    folders: list[str]
    told: list[str]


def add(verbs: Verbs) -> None:
    """Add the verb and its actions."""
    parser = add_verb(
        verbs,
        "reaper",
        _install,
        "put the actions into REAPER, or take them out",
        "  faderwise reaper install --dry-run\n  faderwise reaper install\n  faderwise reaper uninstall",
    )
    _add_answers(parser)
    actions = parser.add_subparsers(dest="action", metavar="install|uninstall", parser_class=Parser)
    _add_answers(_action(actions, "install", _install, "put the actions into REAPER, or bring them up to date"))
    _add_answers(_action(actions, "uninstall", _uninstall, "take out exactly what was added"))


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


def _talk(arguments: argparse.Namespace, terminal: Terminal, told: list[str]) -> Talk:
    def say(line: str) -> None:
        told.append(line)
        terminal.say(line)

    return Talk(say, lambda question: arguments.yes or terminal.ask(question))
