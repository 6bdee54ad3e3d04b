"""`faderwise doctor` on the command line."""

from __future__ import annotations

import argparse

from analysis_server.commands.options import Verbs, add_verb
from analysis_server.paths import home
from analysis_server.terminal import Terminal
from core.errors import FaderwiseError

_MARKS = {"right": "ok", "note": "--", "wrong": "!!"}


def add(verbs: Verbs) -> None:
    """Add the verb."""
    says = "tell what is installed, what REAPER sees, what is wrong and how to mend it"
    add_verb(verbs, "doctor", run, says, "  faderwise doctor\n  faderwise doctor --json")


def run(_arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise doctor`; it fails where something is wrong."""
    from analysis_server import doctor  # noqa: PLC0415 - the socket library loads only here

    with terminal.progress() as progress:
        result = doctor.run(home().absolute(), progress)
    for finding in result.findings:
        terminal.say(f"{_MARKS[finding.state]} {finding.subject:<16} {finding.found}")
        if finding.remedy:
            terminal.say(f"   {'':<16} -> {finding.remedy}")
    terminal.give(result)
    wrong = [finding.subject for finding in result.findings if finding.state == "wrong"]
    if wrong:
        raise FaderwiseError(f"to be mended: {', '.join(wrong)}")
