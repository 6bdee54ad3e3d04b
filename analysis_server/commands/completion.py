"""`faderwise completion`."""

from __future__ import annotations

from argparse import Namespace

from analysis_server.commands.options import Parser
from analysis_server.terminal import Terminal

EXAMPLES = """\
  faderwise completion bash > ~/.local/share/bash-completion/completions/faderwise
  faderwise completion zsh > ~/.zfunc/_faderwise
  faderwise completion fish > ~/.config/fish/completions/faderwise.fish"""
SHELLS = ("bash", "zsh", "fish")


def add_options(parser: Parser) -> None:
    """Add the options."""
    parser.add_argument("shell", choices=SHELLS, help="the shell")


def run(arguments: Namespace, terminal: Terminal) -> None:
    """Print the completion script of a shell."""
    import shtab

    script = shtab.complete(arguments.parser_of_all(), arguments.shell)
    terminal.say(script.rstrip("\n"))
    terminal.give({"script": script})
