"""Stored results and the comparison with them.

``FADERWISE_RECORD=1 python -m pytest tests/frozen`` stores the present results. Do this only for an intended change
of behaviour, and review the difference in Git.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "fixtures"
RECORDS = os.environ.get("FADERWISE_RECORD") == "1"
RELATIVE, ABSOLUTE, ROUNDED = 1e-5, 2e-6, 1.1e-3
"""Tolerances, as processors differ by up to 1e-6 dB. `ROUNDED` is that of two numbers with 3 decimals at most, which
may be rounded to different ones."""
PROSE = {
    "warnings",
    "reason",
    "in_words",
    "summary",
    "found",
    "remedy",
    "description",
    "message",
    "notes",
    "undo",
    "problem",
    "cautions",
    "changes",
    "sentences",
    "trained_on",
    "terms",
    "headline",
}
"""Keys of messages. Their presence is stored, their wording is not."""
TIMES = {"took_ms", "made_at", "modified_at", "heartbeat"}


def normalised(value: Any, paths: Mapping[str, Path]) -> Any:
    """Return `value` without what differs between runs: paths in `paths` become their names, times a mark."""
    names = sorted(((str(path), f"<{name}>") for name, path in paths.items()), key=lambda pair: -len(pair[0]))

    def go(part: Any, key: str = "") -> Any:
        if part is None or isinstance(part, (bool, int, float)):
            return "<time>" if key in TIMES and part is not None else part
        if isinstance(part, str):
            if key in TIMES:
                return "<time>"
            if key in PROSE:
                return "<text>" if part else ""
            for path, name in names:
                part = part.replace(path, name)
            return re.sub(r"\b\d{8}-\d{6}(-[0-9a-f]{6})?\b", "<time>", part)
        if isinstance(part, list):
            return [go(item, key) for item in part]
        return {go(name): go(item, key if key in PROSE else name) for name, item in part.items()}

    return go(value)


def differences(expected: Any, found: Any, place: str = "result") -> Iterator[str]:
    """Yield one line for each place at which two JSON values differ, numbers by more than the tolerance."""
    if isinstance(expected, float) or isinstance(found, float):
        if not _same_number(expected, found):
            yield f"{place}: expected {expected!r}, found {found!r}"
    elif type(expected) is not type(found):
        yield f"{place}: expected {expected!r}, found {found!r}"
    elif isinstance(expected, dict):
        for key in [*expected, *(key for key in found if key not in expected)]:
            if key not in found:
                yield f"{place}.{key}: missing"
            elif key not in expected:
                yield f"{place}.{key}: not expected, found {found[key]!r}"
            else:
                yield from differences(expected[key], found[key], f"{place}.{key}")
    elif isinstance(expected, list):
        if len(expected) != len(found):
            yield f"{place}: expected {len(expected)} items, found {len(found)}"
        for index, (one, other) in enumerate(zip(expected, found, strict=False)):
            yield from differences(one, other, f"{place}[{index}]")
    elif expected != found:
        yield f"{place}: expected {expected!r}, found {found!r}"


def _same_number(expected: Any, found: Any) -> bool:
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in (expected, found))
    are_rounded = numbers and all(round(value, 3) == value for value in (expected, found))
    return numbers and math.isclose(expected, found, rel_tol=RELATIVE, abs_tol=ROUNDED if are_rounded else ABSOLUTE)


def check(name: str, value: Any, **paths: Path) -> None:
    """Compare a result with the stored one; with ``FADERWISE_RECORD=1`` store it instead."""
    found = json.loads(json.dumps(normalised(value, paths)))
    path = FOLDER / f"{name.replace(' ', '_')}.json"
    expected = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    if RECORDS:
        FOLDER.mkdir(exist_ok=True)
        text = json.dumps(_updated(expected, found), indent=1, ensure_ascii=False)
        flat_lists = re.sub(r"\[\s[^\[\]{}]*\]", lambda match: re.sub(r"\n\s*", "", match[0]), text)
        path.write_text(flat_lists + "\n", encoding="utf-8")
        return
    found_differences = list(differences(expected, found))
    assert not found_differences, "\n".join([f"{path.name} differs:", *found_differences[:40]])


def _updated(old: Any, new: Any) -> Any:
    """Return `new` with those numbers of `old` that agree within the tolerance, so that Git shows real changes only."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: _updated(old.get(key), value) for key, value in new.items()}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [_updated(one, other) for one, other in zip(old, new, strict=True)]
    return old if _same_number(old, new) else new


def check_lines(name: str, lines: list[str]) -> None:
    """Compare lines with stored ones, word by word, numbers within the tolerance."""
    check(name, [[_value(word) for word in line.split(" ")] for line in lines])


def _value(word: str) -> Any:
    return float(word) if re.fullmatch(r"-?\d+\.\d+", word) else word
