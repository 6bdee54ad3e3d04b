"""The values the page's read-out shows, as compact JSON that is safe inside a script element."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis_server.report.axes import Axis
from analysis_server.report.charts import drawable_gain
from analysis_server.report.content import BusContent, FloatArray
from analysis_server.report.decimation import VERTEX_LIMIT, IndexArray, extreme_indices

_UNSAFE = re.compile("[<>&\u2028\u2029]")


def read_out_json(buses: Sequence[BusContent], time: Axis) -> str:
    """Return the vertices of every bus's gain curve with the level at each.

    Returns
    -------
    JSON ``{"duration": seconds, "buses": [{"time": [...], "gain": [...], "level": [...]}, ...]}`` in whole
    hundredths of a second, hundredths of a dB and tenths of a LUFS; null is silence, or a gain
    that is no number.
    """
    content = {
        "duration": round(time.high, 3),
        "buses": [_values(bus) | _audited(bus) | _compared(bus) for bus in buses],
    }
    return script_safe(json.dumps(content, allow_nan=False, separators=(",", ":")))


def script_safe(text: str) -> str:
    """Return JSON in which no character can end a script element or a line of one."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _audited(bus: BusContent) -> dict[str, Any]:
    """Return what an audit adds at the same vertices: gains in hundredths, terms in tenths of a dB, and the words."""
    audit = bus.audit
    if audit is None:
        return {}
    chosen = _vertices(bus)
    return {
        "role": bus.role,
        "written": _whole(drawable_gain(audit.written_gain_db[chosen]), 100),
        "now": _whole(drawable_gain(audit.now_gain_db[chosen]), 100),
        "terms": [[term.raises, term.lowers] for term in audit.terms],
        "why": [_whole(column[chosen], 10) for column in audit.terms_db.T],
    }


def _compared(bus: BusContent) -> dict[str, Any]:
    """Return what a comparison adds at the same vertices: B's gain in hundredths of a dB."""
    if bus.compared is None:
        return {}
    return {"second": _whole(drawable_gain(bus.compared.second_gain_db[_vertices(bus)]), 100)}


def _vertices(bus: BusContent) -> IndexArray:
    """Return the frames that are read out: the turns of the bus's curves."""
    curves = bus.gain_curves.values()
    if len(curves) == 1 or bus.gain_db.size <= VERTEX_LIMIT:
        return extreme_indices(bus.gain_db)
    return np.unique(np.concatenate([extreme_indices(curve, VERTEX_LIMIT // len(curves)) for curve in curves]))


def _values(bus: BusContent) -> dict[str, Any]:
    """Return one bus's values at the vertices of its gain curve."""
    chosen = _vertices(bus)
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
