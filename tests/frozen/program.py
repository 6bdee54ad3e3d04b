"""The entry points of the program that these tests use; other modules of this folder import nothing of it."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis_server.reaper import relay
from core.rpp.parser import parse
from tests.frozen.material import ROOT


@dataclass(frozen=True)
class Run:
    """One run of the command: its exit code, its JSON result (or None), and its standard error."""

    code: int
    result: Any
    errors: str


def faderwise(*words: object) -> Run:
    """Run the `faderwise` command of pyproject.toml with ``--json`` in this process."""
    entry_point = re.search(r'^faderwise = "(.+):(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert entry_point is not None
    main = getattr(importlib.import_module(entry_point[1]), entry_point[2])
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            code = main([*map(str, words), "--json"])
        except SystemExit as end:
            code = end.code
    text = out.getvalue()
    return Run(code, json.loads(text) if text else None, errors.getvalue())


def result_of(*words: object) -> Any:
    """Run the command, require success, and return its JSON result."""
    run = faderwise(*words)
    assert run.code == 0, run.errors
    return run.result


def parsed_and_written(content: bytes) -> bytes:
    """Parse a project file and write it again."""
    return parse(content, Path("project.RPP")).to_bytes()


def answer_job(folder: Path) -> Any:
    """Let the application answer the REAPER job in `folder`; return the content of `result.json`."""
    with contextlib.redirect_stderr(sys.stdout):
        relay.answer(folder, client=None)
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))
