"""What the tests of bad input share: songs to change, and what a refusal is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import soundfile

ROOT = Path(__file__).resolve().parents[2]
RATE = 44_100

Faderwise = Callable[..., Any]
Change = Callable[[Path], object]


def contents(folder: Path) -> dict[str, bytes | None]:
    """Return every file and folder under `folder`, with the files' bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def samples_of(song: Path, name: str) -> Any:
    return soundfile.read(song / f"{name}.wav")[0]


def write(song: Path, name: str, samples: Any, *, rate: int = RATE, subtype: str = "FLOAT") -> None:
    soundfile.write(song / f"{name}.wav", samples, rate, subtype=subtype)


def is_refused(ran: Any, *words: str) -> None:
    assert ran.code == 2
    assert ran.out == "" or ran.out.startswith("Buses of "), "only the buses are printed before the work starts"
    (line,) = ran.err_lines
    assert line.startswith("faderwise: ")
    assert "Traceback" not in line
    for word in words:
        assert word in line
