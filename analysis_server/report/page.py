"""Render a report as one self-contained HTML page."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, partial
from importlib import resources
from math import nan
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt
from jinja2.bccache import Bucket
from markupsafe import Markup

from analysis_server.report import charts
from analysis_server.report.charts import IndexArray, drawable_gain, extreme_indices, half_width_db
from analysis_server.report.content import (
    MISSING,
    BusContent,
    ReportContent,
    Spectrum,
    change_text,
    clock_text,
    decimal_text,
    full_sentence,
    gain_text,
    level_text,
    median_gain_db,
    printable,
    with_minus_signs,
)
from core.decibels import ABSENT_DB, FloatArray
from core.files import write_text
from core.wording import count, listed

TABLE_ROWS = 40
_HEAD_BYTES = 4096
"""The title of a page is in these."""
MOST_OPEN_PANELS = 12
"""Where single tracks have more panels than this, the panels of each bus are folded."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_UNSAFE_IN_SCRIPT = re.compile("[<>&\u2028\u2029]")


def write_page(path: Path, page: str) -> None:
    """Write a page that can be made again at any time; such a page in its place is not kept, other files are.

    Parameters
    ----------
    path : where to write.
    page : a page of `render_report`.
    """
    keep_old = True
    with suppress(OSError), path.open("rb") as old:
        mark = re.search(rb" - Faderwise \w+</title>", old.read(_HEAD_BYTES))
        keep_old = mark is None or mark[0] not in page[:_HEAD_BYTES].encode()
    write_text(path, page, keep_old=keep_old)


def render_report(content: ReportContent) -> str:
    """Return the report as one self-contained HTML page.

    Parameters
    ----------
    content : what to show. Texts are escaped; values that are not finite are left out of the drawings.

    Returns
    -------
    The page, to be written as UTF-8. It opens without a network, and its content security policy forbids one.
    """
    script = template_file("page.js")
    time = charts.time_axis(content.duration_s, content.buses)
    groups = _groups(content.buses)
    view: dict[str, Any] = {
        "content": content,
        "comparing": any(bus.compared for bus in content.buses),
        "explained": any(bus.terms for bus in content.buses),
        "pointed": any(bus.point_time_s.size for bus in content.buses),
        "banded": any(math.isfinite(half_width_db(bus)) for bus in content.buses),
        "policy": content_security_policy(script),
        "style": Markup(template_file("page.css")),  # noqa: S704 - our own files
        "script": Markup(script),  # noqa: S704
        "data": Markup(read_out_json(content, time)),  # noqa: S704 - escaped for a script element
        "groups": groups,
        "grouped": len(groups) < len(content.buses),
        "open_groups": len(content.buses) <= MOST_OPEN_PANELS,
        "hues": {number: group["hue"] for group in groups for number in group["members"]},
        "time": time,
        "gain": charts.gain_axis(content.buses),
        "loudness": charts.loudness_axis(content.buses),
        "legend": _legend(content.buses, recovers=content.recovers),
        "loudness_labels": _loudness_labels(content),
        "cells": _cells(content),
        "players_note": _shared_note(content),
        "letters": [*_LETTERS, *[""] * len(content.players)],
        "letters_named": listed(list(_LETTERS[: len(content.players)])),
        "stem_index": {bus.role: number for number, bus in enumerate(content.buses)},
        "bus_plot": charts.bus_plot,
        "spectra_plot": charts.spectra_plot,
        "spectrum_style": charts.spectrum_style,
        "change": change_text,
    }
    view |= _overview(content.buses) | _level_match(content) | _spectra(content.spectra)
    return environment().get_template("page.html.j2").render(view)


def content_security_policy(script: str) -> str:
    """Return the policy that allows only `script`, embedded media, and media files next to the page."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; media-src data: 'self' file:; base-uri 'none'; form-action 'none'"
    )


def read_out_json(content: ReportContent, time: charts.Axis) -> str:
    """Return the vertices of every bus's curves as JSON that is safe inside a script element.

    Returns
    -------
    JSON ``{"duration": seconds, "buses": [{"time": [...], "gain": [...], "level": [...]}, ...]}``
    in whole hundredths of a second, hundredths of a dB and tenths of a LUFS; null is silence or a value that is not
    finite. An explained bus also has ``terms`` (reasons) and ``why`` (tenths of a dB per term and vertex), an audited
    one ``written`` and ``now``, a compared one ``second``.
    """
    values = {
        "duration": round(time.high, 3),
        "buses": [_vertex_values(bus) for bus in content.buses],
    }
    return script_safe(json.dumps(values, allow_nan=False, separators=(",", ":")))


def script_safe(text: str) -> str:
    """Return JSON without characters that could end a script element or one of its lines."""
    return _UNSAFE_IN_SCRIPT.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


class _CompiledTemplates(jinja2.FileSystemBytecodeCache):
    """Compiled templates in a folder next to them, like Python's compiled modules; no cache if it is not writable."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            Path(self.directory).mkdir(exist_ok=True)
            super().dump_bytecode(bucket)


@cache
def environment() -> jinja2.Environment:
    """Return the environment of the templates, with the filters that they use."""
    compiled = Path(__file__).with_name("templates") / "__pycache__"
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(template_file),
        bytecode_cache=None if sys.dont_write_bytecode else _CompiledTemplates(str(compiled)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters |= {
        "base64": lambda data: Markup(base64.b64encode(data).decode("ascii")),  # noqa: S704 - nothing to escape
        "clock": clock_text,
        "describe": _description,
        "gain": gain_text,
        "gain_in_hundredths": partial(gain_text, decimals=2),
        "half_width": half_width_db,
        "is_finite": math.isfinite,
        "level": level_text,
        "percent": charts.percent,
        "reasons": _reasons,
        "rows": _rows,
        "sentence": lambda text, names=(): with_minus_signs(full_sentence(text, names)),
        "spectrum_rows": _spectrum_rows,
    }
    return environment


def template_file(name: str) -> str:
    """Return the content of a file in the folder of templates."""
    return resources.files("analysis_server.report").joinpath("templates").joinpath(name).read_text(encoding="utf-8")


def _loudness_labels(content: ReportContent) -> tuple[str, str]:
    """Return the labels of a bus's loudness without and with its gain."""
    first, second = ("Stem", "Recovered") if content.recovers else ("Before", "After")
    return first, "Now" if content.verb == "audit" else second


def _cells(content: ReportContent) -> list[tuple[str, str]]:
    """Return the rows of a panel's read-out: label and quantity."""
    cells = [("Gain", "gain")]
    if any(bus.compared for bus in content.buses):
        cells = [("A", "gain"), ("B", "second")]
    elif content.verb == "audit":
        cells = [("Recovered" if content.recovers else "Predicted", "gain"), ("Written", "written")]
        if any(bus.audit and bus.audit.is_edited for bus in content.buses):
            cells.append(("Now", "now"))
    return [("At", "time"), *cells, ("Level", "level")]


def _legend(buses: Sequence[BusContent], *, recovers: bool) -> list[tuple[str, str]]:
    """Return the marks that occur on this page, with their meanings."""
    audits = [bus.audit for bus in buses if bus.audit]
    compares = any(bus.compared for bus in buses)
    marks = [("curve", "recovered gain" if recovers else "gain")]
    if audits:
        marks = [("curve", "written"), ("predicted", "recovered" if recovers else "predicted")]
        if any(audit.is_edited for audit in audits):
            marks += [("now", "now, edited"), ("edited", "edited point")]
    elif compares:
        marks = [("predicted", "A"), ("curve", "B, overall level difference removed")]
    if any(bus.point_time_s.size for bus in buses):
        marks.append(("points", "automation point"))
    if any(charts.has_narrow_band(bus) for bus in buses):
        marks.append(("band", "80 % band"))
    marks.append(("level", "level before the fader"))
    if any(not bus.active.all() for bus in buses):
        marks.append(("silence", "silent"))
    return marks


def _groups(buses: Sequence[BusContent]) -> list[dict[str, Any]]:
    """Return the buses of the page, each with its name, hue and the numbers of its panels."""
    members: dict[str, list[int]] = {}
    for number, bus in enumerate(buses):
        members.setdefault(bus.group, []).append(number)
    hues = charts.hues_of(list(members))
    return [
        {"name": name, "hue": hue, "members": numbers, "title": f"{name}, {count(len(numbers), 'track')}"}
        for (name, numbers), hue in zip(members.items(), hues, strict=True)
    ]


def _overview(buses: Sequence[BusContent]) -> dict[str, Any]:
    """Return the rows and the axis of the overview: all faders on one scale, the bands around the predicted gains."""
    medians = [_median_and_range(bus.present_gain_db, bus.counted) for bus in buses]
    centres = [_median_and_range(bus.gain_db, bus.counted)[1] for bus in buses]
    seconds = [_median_and_range(bus.compared.second_gain_db, bus.active)[1] if bus.compared else nan for bus in buses]
    widths = [half_width_db(bus) for bus in buses]
    ends = [0.0]
    for (low, _, high), centre, width, second in zip(medians, centres, widths, seconds, strict=True):
        reach = min(width, 12.0) if math.isfinite(width) else 0.0
        shown = (low, high, centre - reach, centre + reach, second)
        ends += [end for end in shown if math.isfinite(end) and end > charts.CLOSED_DB]
    low, high = min(ends), max(ends)
    step = next((step for step in (1.0, 2.0, 3.0, 6.0, 10.0, 20.0) if (high - low) / step <= 8), 40.0)
    axis = charts.stepped_axis(low, high, step)
    rows = []
    for bus, (low, middle, high), centre, width, second in zip(buses, medians, centres, widths, seconds, strict=True):
        known = math.isfinite(middle)
        at, bottom, top = axis.place(np.array([middle, low, high])).tolist() if known else (None, 0.0, 0.0)
        banded = math.isfinite(centre) and math.isfinite(width)
        rows.append(
            {
                "at": at,
                "range": (bottom, top) if known and high - low > 0.1 and not bus.compared else None,
                "band": tuple(axis.place(np.array([centre - width, centre + width])).tolist()) if banded else None,
                "gain": _median_text(middle),
                "plus_minus": "kept" if bus.is_kept else f"±{decimal_text(width)} dB" if banded else "",
                "second_at": float(axis.place(np.array([second]))[0]) if math.isfinite(second) else None,
                "second": gain_text(second) if math.isfinite(second) else MISSING,
            }
        )
    return {
        "overview_rows": rows,
        "overview_axis": axis,
        "overview_zero": float(axis.place(np.zeros(1))[0]),
        "moving": any(row["range"] for row in rows),
    }


def _median_text(median_db: float) -> str:
    if not math.isfinite(median_db):
        return MISSING
    return gain_text(median_db) if median_db > ABSENT_DB else "not in the mix"


def _median_and_range(gain_db: FloatArray, active: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return the 5 % quantile, the median and the 95 % quantile of a gain (n_frames,) where `active` (n_frames,)."""
    shown = drawable_gain(gain_db[active] if active.any() else gain_db)
    shown = shown[np.isfinite(shown)]
    low, high = np.quantile(shown, (0.05, 0.95)).tolist() if shown.size else (nan, nan)
    return low, median_gain_db(gain_db, active), high


def _shared_note(content: ReportContent) -> str:
    """Return what the first player is an excerpt of; the others start with it."""
    first = content.players[0] if content.players else None
    return f"{first.note.rstrip('.')}, from {clock_text(first.start_s)}" if first and first.note else ""


def _level_match(content: ReportContent) -> dict[str, Any]:
    """Return by how much the louder of two players is louder, where both loudnesses are known."""
    known = [player for player in content.players if math.isfinite(player.loudness_lufs)]
    if len(known) < 2 or len(known) != len(content.players):
        return {"level_matched": False}
    louder = max(known, key=lambda player: player.loudness_lufs)
    apart = louder.loudness_lufs - min(player.loudness_lufs for player in known)
    return {"level_matched": apart >= 0.05, "louder_label": louder.label, "louder_by": f"{decimal_text(apart)} dB"}


def _spectra(spectra: Sequence[Spectrum]) -> dict[str, Any]:
    if not spectra:
        return {}
    frequency = charts.frequency_axis(spectra)
    view: dict[str, Any] = {"frequency": frequency, "spectrum_level": charts.spectrum_axis(spectra)}
    if len(spectra) > 1:
        first, last = spectra[0], spectra[-1]
        difference = charts.difference_db(first, last)
        level = charts.difference_axis(difference)
        view["difference_level"] = level
        view["difference_drawing"] = charts.difference_plot(last.frequency_hz, difference, frequency, level)
        known = np.isfinite(difference)
        words = "no difference known"
        if known.any():
            band = int(np.where(known, np.abs(np.nan_to_num(difference)), -1.0).argmax())
            words = f"largest {gain_text(float(difference[band]))} at {last.frequency_hz[band]:.0f} Hz"
            if abs(difference[band]) < 0.05:
                words = "no difference"
        view["difference_description"] = f"{last.label} minus {first.label}, {words}"
    return view


def _description(bus: BusContent) -> str:
    """Return a bus's chart in one sentence."""
    known = bus.gain_db[np.isfinite(bus.gain_db)]
    if not known.size:
        return f"Gain curve of {bus.role}: gain unknown"
    low, high = gain_text(float(known.min())), gain_text(float(known.max()))
    return f"Gain curve of {bus.role}, between {low} and {high}"


def _reasons(bus: BusContent) -> list[tuple[str, str]]:
    """Return the average of each term while the bus has signal, empty where it rounds to 0.0 dB, and its reason."""
    if bus.terms_db is None:
        return []
    chosen = bus.terms_db[bus.counted]
    means = chosen.mean(axis=0) if len(chosen) else np.zeros(len(bus.terms))
    return [
        (gain_text(mean) if abs(mean) >= 0.05 else "", term.reason(mean))
        for term, mean in zip(bus.terms, means.tolist(), strict=True)
    ]


def _rows(bus: BusContent) -> list[tuple[str, ...]]:
    """Return the panel's values at no more than `TABLE_ROWS` moments."""
    return [
        (
            clock_text(float(bus.time_s[frame]), 1),
            *(gain_text(float(gain_db[frame])) for gain_db in bus.gain_curves.values()),
            level_text(float(bus.level_lufs[frame])),
            "yes" if bus.active[frame] else "no",
        )
        for frame in charts.even_indices(bus.time_s.size, TABLE_ROWS)
    ]


def _spectrum_rows(spectrum: Spectrum) -> list[tuple[str, str]]:
    """Return a spectrum at no more than `TABLE_ROWS` frequencies."""
    return [
        (f"{spectrum.frequency_hz[band]:.0f} Hz", _decibels(float(spectrum.level_db[band])))
        for band in charts.even_indices(spectrum.frequency_hz.size, TABLE_ROWS)
        if math.isfinite(spectrum.frequency_hz[band])
    ]


def _decibels(level_db: float) -> str:
    return f"{decimal_text(level_db)} dB" if math.isfinite(level_db) else gain_text(level_db)


def _vertex_values(bus: BusContent) -> dict[str, Any]:
    chosen = _vertices(bus)
    values: dict[str, Any] = {
        "time": _whole(bus.time_s[chosen], 100),
        "gain": _whole(drawable_gain(bus.gain_db[chosen]), 100),
        "level": _whole(bus.level_lufs[chosen], 10),
    }
    if bus.terms and bus.terms_db is not None:
        values["terms"] = [[term.raises, term.lowers] for term in bus.terms]
        values["why"] = [_whole(column[chosen], 10) for column in bus.terms_db.T]
    if bus.audit is not None:
        values["written"] = _whole(drawable_gain(bus.audit.written_gain_db[chosen]), 100)
        values["now"] = _whole(drawable_gain(bus.audit.now_gain_db[chosen]), 100)
    if bus.compared is not None:
        values["second"] = _whole(drawable_gain(bus.compared.second_gain_db[chosen]), 100)
    return values


def _vertices(bus: BusContent) -> IndexArray:
    curves = bus.gain_curves.values()
    if len(curves) == 1 or bus.gain_db.size <= charts.VERTEX_LIMIT:
        return extreme_indices(bus.gain_db)
    limit = charts.VERTEX_LIMIT // len(curves)
    return np.unique(np.concatenate([extreme_indices(curve, limit) for curve in curves]))


def _whole(values: FloatArray, per_unit: int) -> list[int | None]:
    """Return finite values as whole parts of a unit, and None for the others."""
    finite = np.isfinite(values)
    parts = np.rint(np.clip(np.where(finite, values, 0.0), -1e7, 1e7) * per_unit).astype(np.int64)
    return [part if known else None for part, known in zip(parts.tolist(), finite.tolist(), strict=True)]
