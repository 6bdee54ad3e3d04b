"""Run the command on damaged input and check that it does the work or refuses it with one line.

A run that takes `PATIENCE_S` of processor time is interrupted if it has reported progress since, and counts as
`interrupted`: a damaged project may ask for hours of audio. One that reports nothing goes on; the watching process in
`campaign` reports it as hanging.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import numpy as np
import soundfile

from analysis_server.cli import BAD_INPUT, DONE, FAILED, INTERRUPTED, main
from analysis_server.terminal import ProgressBar

PATIENCE_S = 4.0
_MP3_DECODER = ("[src/libmpg123/", "Warning: Xing", "Note: ", "Warning: ")
"""Lines that the MP3 decoder inside libsndfile writes to standard error, which cannot be switched off."""
Hashes = dict[str, str]


class RequirementError(AssertionError):
    """The program did something that it must never do."""


def hashes(folder: Path) -> Hashes:
    """Return the hash of every file in `folder`."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def run_and_check(words: list[str], *, inputs: Path, out: Path, in_place: bool = False, may_fail: bool = False) -> str:
    """Run the command and return `done`, `refused`, `failed` or `interrupted`.

    Parameters
    ----------
    words : the command line without `faderwise`.
    inputs : a folder that must stay unchanged.
    out : the folder it writes to, which must stay empty unless the work is done.
    in_place : `inputs` may be changed, but only if the work is done.
    may_fail : exit code 1 is allowed.

    Raises
    ------
    RequirementError
        Another exit code, no single line of our own, changed inputs, or an incomplete output.
    """
    before = hashes(inputs)
    code, stderr = _run_watched(words)
    lines = [
        line for line in stderr if not line.startswith(("faderwise: warning: ", "faderwise: note: ", *_MP3_DECODER))
    ]
    last = " | ".join(line.strip() for line in lines[-9:])
    allowed = (DONE, BAD_INPUT, INTERRUPTED, *([FAILED] if may_fail else []))
    _require(code in allowed and "faderwise: internal error" not in last, f"exit code {code}: {last}")
    _require(len(lines) == (code != DONE), f"exit code {code} with {len(lines)} lines: {lines[:3]}")
    _require(code == DONE or lines[0].startswith("faderwise: "), f"not a line of ours: {lines}")
    _require((in_place and code == DONE) or hashes(inputs) == before, "the input was changed")
    left = [path.name for path in out.rglob("*") if path.is_file()] if out.exists() else []
    _require(code == DONE or not left, f"left behind: {left}")
    _require(code != DONE or _is_finite(out), "mix.wav has samples that are not finite")
    return {DONE: "done", BAD_INPUT: "refused", FAILED: "failed", INTERRUPTED: "interrupted"}[code]


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise RequirementError(problem)


def _exit_code(words: list[str]) -> int:
    try:
        return main(words)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1


def _is_finite(out: Path) -> bool:
    mix = out / "mix.wav"
    return not mix.exists() or bool(np.isfinite(soundfile.read(mix, dtype="float32")[0]).all())


def _run_watched(words: list[str]) -> tuple[int, list[str]]:
    """Return the exit code and the lines that this process and its libraries wrote to standard error."""
    with tempfile.TemporaryFile() as caught, contextlib.redirect_stdout(io.StringIO()):
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            with _interrupt_long_work():
                code = _exit_code(words)
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
        caught.seek(0)
        return code, caught.read().decode("utf-8", "replace").splitlines()


@contextlib.contextmanager
def _interrupt_long_work() -> Iterator[None]:
    """Interrupt work that takes long and reports progress."""
    reported_s = [time.process_time()]
    original = ProgressBar.__call__

    def report(bar: ProgressBar, fraction: float, stage: str) -> None:
        reported_s[0] = time.process_time()
        original(bar, fraction, stage)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if time.process_time() - reported_s[0] < PATIENCE_S / 2.0:
            raise KeyboardInterrupt

    ProgressBar.__call__ = report  # type: ignore[method-assign]
    signal.signal(signal.SIGPROF, interrupt)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE_S, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        ProgressBar.__call__ = original  # type: ignore[method-assign]
