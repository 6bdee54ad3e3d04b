"""What the tests of verbs share: the files of an outcome, and the one JSON object on standard output."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RATE = 44_100
OUTCOME = {"automation.json", "automation.csv", "mix.wav", "curves.npz", "run.json", "audit.npz", "report.html"}

Faderwise = Callable[..., Any]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def as_json(ran: Any) -> dict[str, Any]:
    """Return the one JSON object on standard output, which holds nothing else."""
    assert ran.code == 0, ran.err
    content = json.loads(ran.out)
    assert isinstance(content, dict)
    return content
