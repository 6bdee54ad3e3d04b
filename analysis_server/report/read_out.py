"""The values the page's read-out shows, as compact JSON that is safe inside a script element."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import numpy as np

from analysis_server.report.axes import Axis
from analysis_server.report.charts import drawable_gain
from analysis_server.report.content import BusContent, FloatArray
from analysis_server.report.decimation import extreme_indices

_UNSAFE = re.compile("[<>&\u2028\u2029]")


def read_out_json(buses: Sequence[BusContent], time: Axis) -> str:
    """Return the vertices of every bus's gain curve with the level at each.

    Returns
    -------
    JSON ``{"duration": seconds, "buses": [{"time": [...], "gain": [...], "level": [...]}, ...]}`` in whole
    hundredths of a second, hundredths of a dB and tenths of a LUFS; null is silence, or a gain
    that is no number.
    """
    content = {"duration": round(time.high, 3), "buses": [_values(bus) for bus in buses]}
    return script_safe(json.dumps(content, allow_nan=False, separators=(",", ":")))


def script_safe(text: str) -> str:
    """Return JSON in which no character can end a script element or a line of one."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _values(bus: BusContent) -> dict[str, list[int | None]]:
    """Return one bus's values at the vertices of its gain curve."""
    chosen = extreme_indices(bus.gain_db)
    return {
        "time": _whole(bus.time_s[chosen], 100),
        "gain": _whole(drawable_gain(bus.gain_db[chosen]), 100),
        "level": _whole(bus.level_lufs[chosen], 10),
    }


def _whole(values: FloatArray, per_unit: int) -> list[int | None]:
    """Return finite values as whole parts of a unit, and None for the others."""
    finite = np.isfinite(values)
    parts = np.rint(np.clip(np.where(finite, values, 0.0), -1e7, 1e7) * per_unit).astype(np.int64)
    return [part if known else None for part, known in zip(parts.tolist(), finite.tolist(), strict=True)]
