"""A finding: what was looked at, how it is, and how to mend it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Literal

import msgspec

State = Literal["right", "note", "wrong"]
_LIMIT_S = 60.0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at (`subject`), how it is (`state`, `found`), and where it is not right the `remedy`.

    `note` is worth knowing and needs no mending.
    """

    subject: str
    state: State
    found: str
    remedy: str = ""


def right(subject: str, found: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(subject=subject, state="right", found=found)


def note(subject: str, found: str, remedy: str = "") -> Finding:
    """Return something worth knowing."""
    return Finding(subject=subject, state="note", found=found, remedy=remedy)


def wrong(subject: str, found: str, remedy: str) -> Finding:
    """Return that something is wrong, and how to mend it."""
    return Finding(subject=subject, state="wrong", found=found, remedy=remedy)


def asked(command: Sequence[str]) -> tuple[bool, str]:
    """Run a program and return whether it went well, and its output or its last words."""
    try:
        done = subprocess.run(  # noqa: S603 - a list
            list(command), capture_output=True, text=True, errors="replace", check=False, timeout=_LIMIT_S
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    output = done.stdout.strip() if done.returncode == 0 else (done.stderr or done.stdout).strip()
    return done.returncode == 0, output if done.returncode == 0 else (output.splitlines() or ["no word"])[-1]
