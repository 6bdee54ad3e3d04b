"""REAPER's render settings: set for stems before the faders, and put back whatever happens."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from reapy import reascript_api as RPR  # noqa: N812

_STEMS_ONLY, _BEFORE_FADER = 2, 8192
_FROM_TO = 0
_FLOAT_WAV = "ZXZhdyAAAQ=="
"""The WAV writer's settings for 32 bit float."""


@contextmanager
def for_stems(folder: Path, pattern: str, span_s: tuple[float, float]) -> Iterator[None]:
    """Set the renderer up for stems of the selected tracks, 32 bit float, and put back what was changed."""
    numbers = {
        "RENDER_SETTINGS": _STEMS_ONLY | _BEFORE_FADER,
        "RENDER_BOUNDSFLAG": _FROM_TO,
        "RENDER_STARTPOS": span_s[0],
        "RENDER_ENDPOS": span_s[1],
        "RENDER_CHANNELS": 2,
        "RENDER_SRATE": 0,
        "RENDER_TAILFLAG": 0,
        "RENDER_TAILMS": 0,
        "RENDER_ADDTOPROJ": 0,
        "RENDER_DITHER": 0,
        "RENDER_NORMALIZE": 0,
    }
    texts = {
        "RENDER_FILE": str(folder),
        "RENDER_PATTERN": pattern,
        "RENDER_FORMAT": _FLOAT_WAV,
        "RENDER_FORMAT2": "",
    }
    old_numbers = {key: _number(key) for key in numbers}
    old_texts = {key: _text(key) for key in texts}
    try:
        _set(numbers, texts)
        yield
    finally:
        _set(old_numbers, old_texts)


def targets() -> list[Path]:
    """Return the files that rendering would write now."""
    return [Path(name) for name in _text("RENDER_TARGETS").split(";") if name.strip()]


def _number(key: str) -> float:
    return float(RPR.GetSetProjectInfo(0, key, 0, False))


def _text(key: str) -> str:
    return str(RPR.GetSetProjectInfo_String(0, key, "", False)[3])


def _set(numbers: dict[str, float], texts: dict[str, str]) -> None:
    for key, number in numbers.items():
        if _number(key) != number:
            RPR.GetSetProjectInfo(0, key, number, True)
    for key, text in texts.items():
        if _text(key) != text:
            RPR.GetSetProjectInfo_String(0, key, text, True)
