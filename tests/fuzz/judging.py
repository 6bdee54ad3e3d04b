"""What a run of the command may do with damaged input: do the work, or say in one line what is wrong with it.

A run that takes `PATIENCE_S` of the processor is interrupted if it has told progress since; that is no failure, as an
item that lasts hours may be meant. One that tells nothing is left alone, and whoever
watches this process calls it a hang.
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
"""What the MP3 decoder inside libsndfile remarks on damage, by itself and not to be told not to."""
Hashes = dict[str, str]


class BrokenPromiseError(AssertionError):
    """The program did what it must never do."""


def hashes(folder: Path) -> Hashes:
    """Return the hash of every file in `folder`."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def judged(words: list[str], *, inputs: Path, out: Path, in_place: bool = False, may_fail: bool = False) -> str:
    """Run the command and return what came of it: `done`, `refused` or `interrupted`.

    A verb that works `in_place` may change its inputs, but only where it was done.

    Raises
    ------
    BrokenPromiseError
        Another exit code, no single clear line, changed inputs, or something half-written.
    """
    before = hashes(inputs)
    code, told = _watched(words)
    lines = [line for line in told if not line.startswith(("faderwise: warning: ", *_MP3_DECODER))]
    last = " | ".join(line.strip() for line in lines[-9:])
    ends = (DONE, BAD_INPUT, INTERRUPTED, *([FAILED] if may_fail else []))
    _require(code in ends and "faderwise: internal error" not in last, f"exit code {code}: {last}")
    _require(len(lines) == (code != DONE), f"exit code {code} with {len(lines)} lines: {lines[:3]}")
    _require(code == DONE or lines[0].startswith("faderwise: "), f"not our line: {lines}")
    _require((in_place and code == DONE) or hashes(inputs) == before, "the input was changed")
    left = [path.name for path in out.rglob("*") if path.is_file()] if out.exists() else []
    _require(code == DONE or not left, f"left behind: {left}")
    _require(code != DONE or _is_sound(out), "mix.wav holds values that are no numbers")
    return {DONE: "done", BAD_INPUT: "refused", FAILED: "failed", INTERRUPTED: "interrupted"}[code]


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BrokenPromiseError(otherwise)


def _exit_code(words: list[str]) -> int:
    try:
        return main(words)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1


def _is_sound(out: Path) -> bool:
    mix = out / "mix.wav"
    return not mix.exists() or bool(np.isfinite(soundfile.read(mix, dtype="float32")[0]).all())


def _watched(words: list[str]) -> tuple[int, list[str]]:
    """Return the exit code, and the lines that this process and its libraries wrote to standard error."""
    with tempfile.TemporaryFile() as caught, contextlib.redirect_stdout(io.StringIO()):
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            with _impatient():
                code = _exit_code(words)
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
        caught.seek(0)
        return code, caught.read().decode("utf-8", "replace").splitlines()


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    """Interrupt what goes on for long, if it tells that it does."""
    told_s = [time.process_time()]
    tell = ProgressBar.__call__

    def telling(bar: ProgressBar, fraction: float, stage: str) -> None:
        told_s[0] = time.process_time()
        tell(bar, fraction, stage)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if time.process_time() - told_s[0] < PATIENCE_S / 2.0:
            raise KeyboardInterrupt

    ProgressBar.__call__ = telling  # type: ignore[method-assign]
    signal.signal(signal.SIGPROF, interrupt)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE_S, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        ProgressBar.__call__ = tell  # type: ignore[method-assign]
