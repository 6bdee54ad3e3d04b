"""`faderwise doctor`."""

from __future__ import annotations

from argparse import Namespace

from analysis_server.commands.options import Parser
from analysis_server.terminal import Terminal
from core.errors import FaderwiseError

_MARKS = {"right": "ok", "note": "--", "wrong": "!!"}


def add_doctor(parser: Parser) -> None:
    """Add the options of `faderwise doctor`."""
    parser.set_command(
        run,
        "doctor",
        "doctor --full",
        "doctor --json",
    )
    text = "also load every library, run `pip check`, and start the server if none is running"
    parser.add_argument("--full", action="store_true", help=text)


def run(arguments: Namespace, terminal: Terminal) -> None:
    """Check everything and print the findings; fail if there is a problem."""
    from analysis_server import doctor
    from analysis_server.paths import home

    with terminal.progress() as progress:
        result = doctor.run(home().absolute(), progress, full=arguments.full)
    for finding in result.findings:
        terminal.say(f"{_MARKS[finding.state]} {finding.subject:<16} {finding.found}")
        if finding.remedy:
            terminal.say(f"   {'':<16} → {finding.remedy}")
    terminal.give(result)
    problems = [finding.subject for finding in result.findings if finding.state == "wrong"]
    if problems:
        raise FaderwiseError(f"to fix: {', '.join(problems)}")
