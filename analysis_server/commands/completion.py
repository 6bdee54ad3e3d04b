"""`faderwise completion`."""

from __future__ import annotations

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
    """Print the completion script of a shell."""
    if arguments.shell in LISTS:
        names = _names(arguments.shell)
        for name in names:
            terminal.say(name)
        terminal.give({"names": names})
        return
    import shtab

    script = shtab.complete(arguments.parser_of_all(), arguments.shell)
    terminal.say(script.rstrip("\n"))
    terminal.give({"script": script})


def _names(kind: str) -> list[str]:
    if kind == "models":
        from analysis_server import models

        return models.names()
    from core.roles import SYNONYMS

    return list(SYNONYMS)
