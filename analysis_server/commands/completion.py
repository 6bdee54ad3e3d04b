"""`faderwise completion` on the command line."""

from __future__ import annotations

import argparse

import msgspec

from analysis_server.commands.options import Verbs, add_verb
from analysis_server.terminal import Terminal

SHELLS = ("bash", "zsh", "fish")


class _Script(msgspec.Struct, kw_only=True):
    script: str


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "completion",
        run,
        "write the script that completes this command in your shell",
        "  faderwise completion bash > ~/.local/share/bash-completion/completions/faderwise\n"
        "  faderwise completion zsh > ~/.zfunc/_faderwise\n"
        "  faderwise completion fish > ~/.config/fish/completions/faderwise.fish",
    )
    parser.add_argument("shell", choices=SHELLS, help="the shell")


def run(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise completion`."""
    import shtab  # noqa: PLC0415 - loads only here

    script = shtab.complete(arguments.grammar, arguments.shell)
    terminal.say(script.rstrip("\n"))
    terminal.give(_Script(script=script))
