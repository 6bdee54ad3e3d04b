"""`faderwise completion`."""

from __future__ import annotations

import argparse
import re
from argparse import Namespace

from analysis_server.commands.options import Parser
from analysis_server.terminal import Terminal

SHELLS = ("bash", "zsh", "fish")
LISTS = ("models", "buses")
"""What the scripts ask for while a word is typed."""


def add_completion(parser: Parser) -> None:
    """Add the options of `faderwise completion`."""
    parser.set_command(
        run,
        "completion bash > ~/.local/share/bash-completion/completions/faderwise",
        "completion zsh > ~/.zfunc/_faderwise",
        "completion fish > ~/.config/fish/completions/faderwise.fish",
    )
    text = "the shell; or models or buses, for the names that its script completes"
    parser.add_argument("shell", choices=(*SHELLS, *LISTS), help=text)


def run(arguments: Namespace, terminal: Terminal) -> None:
    """Print the completion script of a shell, or the names of models or buses."""
    if arguments.shell == "models":
        from analysis_server import models

        _print_names(models.names(), terminal)
    elif arguments.shell == "buses":
        from core.roles import SYNONYMS

        _print_names(list(SYNONYMS), terminal)
    else:
        import shtab

        parser = arguments.parser_of_all()
        _complete_paths(parser, shtab.FILE)
        script = shtab.complete(parser, arguments.shell)
        terminal.say(script.rstrip("\n"))
        terminal.give({"script": script})


def _print_names(names: list[str], terminal: Terminal) -> None:
    for name in names:
        terminal.say(name)
    terminal.give({"names": names})


def _complete_paths(parser: argparse.ArgumentParser, files: object) -> None:
    """Have shells complete the arguments that take a path with file names."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                _complete_paths(one, files)
        elif not hasattr(action, "complete") and re.search("DIR|FILE|RPP|npz", str(action.metavar)):
            action.complete = files  # type: ignore[attr-defined]  # shtab reads it
