"""`faderwise doctor`: what is installed, what REAPER sees, what is wrong and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from analysis_server.examining.application import examine_application
from analysis_server.examining.finding import Finding, wrong
from analysis_server.examining.reaper import examine_reaper
from analysis_server.telling import Tell, untold
from core import __version__
from core.errors import InputError, as_told

_LOOKS = 17
"""About how many findings there are, for the progress bar."""


class DoctorResult(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was looked at; `right` unless something is wrong."""

    version: str
    right: bool
    findings: list[Finding]


def run(home: Path, tell: Tell = untold) -> DoctorResult:
    """Look at the application whose things are in `home`, and at Faderwise in every REAPER of this user."""
    findings = []
    for look in (examine_application, examine_reaper):
        for finding in _whatever_happens(look(home)):
            findings.append(finding)
            tell(min(len(findings) / _LOOKS, 1.0), finding.subject)
    healthy = all(finding.state != "wrong" for finding in findings)
    return DoctorResult(version=__version__, right=healthy, findings=findings)


def _whatever_happens(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Give the findings; where something cannot even be looked at, that is one, too."""
    try:
        yield from findings
    except (InputError, OSError) as error:
        what, _, remedy = str(as_told(error)).partition("; ")
        yield wrong("permissions", what, remedy)
