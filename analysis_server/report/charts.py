"""Charts as SVG: axes, decimation, paths and colours.

Each plot is an SVG without a `viewBox`, whose grid and hatching are placed in percent, around a nested one
that stretches the curves; strokes do not scale. Tick labels are HTML next to the plot, so they stay legible
at any width.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from analysis_server.report.content import (
    BusContent,
    Spectrum,
    clock_text,
    decimal_text,
    frequency_text,
    median_gain_db,
)
from core.decibels import ABSENT_DB, FloatArray

IndexArray = npt.NDArray[np.intp]

GAIN_LIMIT_DB = 120.0
"""Gains beyond this are drawn at it."""
CLOSED_DB = -80.0
"""Gains below this, such as those of a closed fader, do not affect the axes."""
NARROW_BAND_DB = 2.0
"""The 80 % band is drawn where its median half width is at most this; wider ones are given as text."""
LEVEL_RANGE_DB = 50.0
SPECTRUM_RANGE_DB = 70.0
INAUDIBLE_DB = -80.0
"""Spectrum levels below this do not affect the axes."""
LOWEST_HZ, HIGHEST_HZ = 20.0, 20_000.0
VERTEX_LIMIT = 1500
"""The most vertices of a drawn curve."""
SMALL_VERTEX_LIMIT = 400
"""The same on pages with many small charts."""
HUE_COUNT = 16
"""The style sheet defines the classes ``hue-0`` to ``hue-15``."""
PLOT_WIDTH, PLOT_HEIGHT = 10_000, 1_000

_TIME_STEPS_S = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18_000)
_LEVEL_STEPS_DB = (1, 2, 3, 6, 10, 20, 40, 60)
_FREQUENCIES_HZ = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
_FIXED_HUES = {"drums": 1, "bass": 10, "melody": 6, "vocals": 14}
_CROWD = 120  # more automation points than this are drawn smaller
_CURVES_OPEN = f'<svg viewBox="0 0 {PLOT_WIDTH} {PLOT_HEIGHT}" preserveAspectRatio="none" width="100%" height="100%">'


# Axes


@dataclass(frozen=True)
class Tick:
    """A tick at `at` (0..1) along the axis; `fine` ticks are left out below charts on narrow screens."""

    at: float
    text: str
    fine: bool = False
    zero: bool = False


@dataclass(frozen=True)
class Axis:
    """An axis from `low` to `high`, linear or logarithmic, with its ticks."""

    low: float
    high: float
    ticks: tuple[Tick, ...]
    logarithmic: bool = False

    def place(self, values: FloatArray) -> FloatArray:
        """Return the positions of `values` along the axis, 0..1, clipped to its ends; NaN stays NaN."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high = math.log(low), math.log(high)
            values = np.log(np.maximum(values, np.finfo(np.float64).tiny))
        return np.clip((values - low) / (high - low), 0.0, 1.0)


def time_axis(duration_s: float, buses: Sequence[BusContent]) -> Axis:
    """Return the time axis of all buses, from 0 to the later of `duration_s` and the last frame."""
    return axis_of_time([duration_s, *(float(bus.time_s[-1]) for bus in buses if bus.time_s.size)])


def axis_of_time(ends: Sequence[float]) -> Axis:
    """Return a time axis from 0 to the latest of `ends`, in seconds."""
    end = max((end for end in ends if math.isfinite(end)), default=0.0)
    end = end if end > 0.0 else 1.0
    step = next((step for step in _TIME_STEPS_S if end / step <= 10), end)
    decimals = 0 if step >= 1 else 1 if step >= 0.1 else 2
    marks = [step * number for number in range(int(end / step + 1e-9) + 1)]
    sparse = len(marks) > 6
    ticks = (
        Tick(mark / end, clock_text(mark, decimals), fine=sparse and number % 2 == 1)
        for number, mark in enumerate(marks)
    )
    return Axis(0.0, end, tuple(ticks))


def gain_axis(buses: Sequence[BusContent]) -> Axis:
    """Return the gain axis that all buses share; it includes 0 dB.

    Gains where a bus is silent, and those below `CLOSED_DB`, do not widen it.
    """
    values = [np.zeros(1)]
    for bus in buses:
        audible = bus.active if bus.active.any() else np.ones(bus.active.shape, bool)
        curves = list(bus.gain_curves.values())
        if bus.audit is not None:
            curves.append(bus.audit.edited_gain_db)
        values += [curve[audible] if curve.shape == audible.shape else curve for curve in curves]
    return axis_of_gains(np.concatenate(values))


def axis_of_gains(gain_db: FloatArray) -> Axis:
    """Return the axis of gains (n_values,), dB, with at most about five steps; gains below `CLOSED_DB` are ignored."""
    drawn = np.minimum(gain_db[np.isfinite(gain_db) & (gain_db > CLOSED_DB)], GAIN_LIMIT_DB)
    low, high = float(drawn.min(initial=0.0)), float(drawn.max(initial=0.0))
    step = next((step for step in _LEVEL_STEPS_DB if (high - low) / step <= 4), _LEVEL_STEPS_DB[-1])
    return stepped_axis(low, high, step)


def loudness_axis(buses: Sequence[BusContent]) -> Axis:
    """Return the level axis of all buses: `LEVEL_RANGE_DB` down from the loudest frame."""
    levels = [bus.level_lufs[np.isfinite(bus.level_lufs)] for bus in buses]
    top = max((float(level.max()) for level in levels if level.size), default=0.0)
    top_step = math.ceil(float(np.clip(top, -120.0, 60.0)) / 10)
    count = round(LEVEL_RANGE_DB / 10)
    return _stepped_axis(top_step - count, count, 10.0, signed=False)


def frequency_axis(spectra: Sequence[Spectrum]) -> Axis:
    """Return a logarithmic axis from 20 Hz to 20 kHz, or to the codec's cutoff where the spectra end earlier."""
    tops = [float(spectrum.frequency_hz[audible(spectrum)].max(initial=0.0)) for spectrum in spectra]
    top = max(tops, default=0.0)
    highest = min(HIGHEST_HZ, top * 2 ** (1 / 6)) if top > 1000.0 else HIGHEST_HZ
    span = math.log(highest / LOWEST_HZ)
    ticks = (
        Tick(math.log(mark / LOWEST_HZ) / span, frequency_text(mark), fine=str(mark)[0] == "5")
        for mark in _FREQUENCIES_HZ
        if mark <= highest * 1.0001
    )
    return Axis(LOWEST_HZ, highest, tuple(ticks), logarithmic=True)


def spectrum_axis(spectra: Sequence[Spectrum]) -> Axis:
    """Return the level axis of the average spectra, at most `SPECTRUM_RANGE_DB` deep."""
    values = np.concatenate([*(np.clip(one.level_db[audible(one)], -300.0, 300.0) for one in spectra), np.empty(0)])
    low, high = (float(values.min()), float(values.max())) if values.size else (-60.0, 0.0)
    high_step = math.ceil(high / 10 + 1e-9)
    low_step = max(math.floor(low / 10 - 1e-9), high_step - round(SPECTRUM_RANGE_DB / 10))
    return _stepped_axis(low_step, max(high_step - low_step, 1), 10.0, signed=False)


def difference_axis(difference_db: FloatArray) -> Axis:
    """Return an axis symmetric about 0 dB for a difference of spectra (n_bands,), at most ±24 dB."""
    finite = np.abs(difference_db[np.isfinite(difference_db)])
    peak = float(finite.max()) if finite.size else 0.0
    step = next((step for step in (1.0, 2.0, 3.0, 6.0) if peak <= 2 * step), 12.0)
    return _stepped_axis(-2, 4, step, signed=True)


def audible(spectrum: Spectrum) -> npt.NDArray[np.bool_]:
    """Return the bands between 20 Hz and 20 kHz whose level is above `INAUDIBLE_DB`, shape (n_bands,)."""
    inside = (spectrum.frequency_hz >= LOWEST_HZ) & (spectrum.frequency_hz <= HIGHEST_HZ)
    known: npt.NDArray[np.bool_] = inside & np.isfinite(spectrum.level_db) & (spectrum.level_db > INAUDIBLE_DB)
    return known


def stepped_axis(low: float, high: float, step: float) -> Axis:
    """Return an axis of at least three whole `step` that covers `low` to `high`."""
    first = math.floor(low / step + 1e-9)
    return _stepped_axis(first, max(3, math.ceil(high / step - 1e-9) - first), step, signed=True)


def _stepped_axis(first: int, count: int, step: float, *, signed: bool) -> Axis:
    """Return the axis from `first` steps up over `count` steps, with a tick at each step."""
    ticks = (
        Tick(
            number / count,
            decimal_text((first + number) * step, 0, signed=signed),
            fine=(first + number) % 2 == 1,
            zero=first + number == 0,
        )
        for number in range(count + 1)
    )
    return Axis(first * step, (first + count) * step, tuple(ticks))


# Decimation


def extreme_indices(values: FloatArray, limit: int = VERTEX_LIMIT) -> IndexArray:
    """Choose the frames that draw a curve: the lowest and highest of every bucket, and both ends.

    Parameters
    ----------
    values : the curve, shape (n_frames,); non-finite frames are chosen only where a bucket has no other.
    limit : the most frames to keep, at least 4.

    Returns
    -------
    Ascending frame indices, shape (at most `limit`,).
    """
    n_frames = values.size
    if n_frames <= limit:
        return np.arange(n_frames)
    width = -(-n_frames // ((limit - 2) // 2))
    starts = np.arange(0, n_frames, width)
    finite = np.isfinite(values)
    padding = (0, -n_frames % width)
    low = np.pad(np.where(finite, values, np.inf), padding, constant_values=np.inf).reshape(-1, width)
    high = np.pad(np.where(finite, values, -np.inf), padding, constant_values=-np.inf).reshape(-1, width)
    return np.unique(np.concatenate(([0, n_frames - 1], starts + low.argmin(axis=1), starts + high.argmax(axis=1))))


def even_indices(n_frames: int, limit: int) -> IndexArray:
    """Choose at most `limit` evenly spread frames, both ends included."""
    if n_frames <= limit:
        return np.arange(n_frames)
    spread: IndexArray = np.linspace(0, n_frames - 1, limit).round().astype(np.intp)
    return spread


def runs_of(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the stretches where `mask` is true, as half-open frame ranges ``(first, past)``."""
    steps = np.diff(np.concatenate(([False], mask, [False])).astype(np.int8))
    firsts, pasts = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    return list(zip(firsts.tolist(), pasts.tolist(), strict=True))


# Colours


def hues_of(roles: Sequence[str]) -> list[int]:
    """Return a hue number for each role.

    Drums, bass, melody and vocals always have the same hues. Another role starts from a number derived from its
    name and takes the next hue that is free on this page.
    """
    taken = set(_FIXED_HUES.values())
    hues = []
    for role in (role.strip().casefold() for role in roles):
        hue = _FIXED_HUES.get(role)
        if hue is None:
            start = zlib.crc32(role.encode("utf-8", "replace"))
            wheel = [(start + 5 * step) % HUE_COUNT for step in range(HUE_COUNT)]
            hue = next((hue for hue in wheel if hue not in taken), wheel[0])
            taken.add(hue)
        hues.append(hue)
    return hues


# Paths


def percent(fraction: float) -> str:
    """Return a place along an axis as a CSS or SVG percentage."""
    return f"{100 * fraction:.2f}%"


def line_path(across: FloatArray, up: FloatArray) -> str:
    """Return SVG path data through the vertices, broken where either coordinate is not finite.

    Parameters
    ----------
    across, up : places along the horizontal and the vertical axis, 0..1, shape (n_vertices,).
    """
    finite = np.isfinite(across) & np.isfinite(up)
    return "".join("M" + _vertices(across[first:past], up[first:past]) for first, past in runs_of(finite))


def _vertices(across: FloatArray, up: FloatArray) -> str:
    """Return finite vertices as whole plot units; a single one becomes a stroke of no length, which draws a dot."""
    x = np.rint(across * PLOT_WIDTH).astype(int).tolist()
    y = np.rint((1.0 - up) * PLOT_HEIGHT).astype(int).tolist()
    text = " ".join(f"{left} {top}" for left, top in zip(x, y, strict=True))
    return text if len(x) > 1 else f"{text}h0"


def band_path(across: FloatArray, lower: FloatArray, upper: FloatArray) -> str:
    """Return closed SVG path data between two curves over the same vertices (n_vertices,), broken where not finite."""
    finite = np.isfinite(across) & np.isfinite(lower) & np.isfinite(upper)
    outlines = (
        _vertices(
            np.concatenate([across[first:past], across[first:past][::-1]]),
            np.concatenate([upper[first:past], lower[first:past][::-1]]),
        )
        for first, past in runs_of(finite)
    )
    return "".join(f"M{outline}Z" for outline in outlines)


def dots_path(across: FloatArray, up: FloatArray) -> str:
    """Return SVG path data that draws a dot at each finite vertex, shapes (n_vertices,)."""
    finite = np.isfinite(across) & np.isfinite(up)
    pairs = zip(across[finite], up[finite], strict=True)
    return "".join("M" + _vertices(np.array([left]), np.array([top])) for left, top in pairs)


def drawable_gain(gain_db: FloatArray) -> FloatArray:
    """Return gains (any shape) clipped to the drawable range, NaN where they are not finite."""
    return np.where(np.isfinite(gain_db), np.clip(gain_db, -GAIN_LIMIT_DB, GAIN_LIMIT_DB), np.nan)


# Plots


def bus_plot(bus: BusContent, time: Axis, gain: Axis, level: Axis) -> Markup:
    """Return the SVG of one bus: level area, silence, 80 % band, gain curves and automation points."""
    curves = list(bus.gain_curves.values())
    names = ["curve"] if len(curves) == 1 else ["predicted", "curve"]
    parts = [_path("band", _uncertainty_band(bus, time, gain))]
    parts += [
        _path(name, _gain_line(bus.time_s, curve, time, gain)) for name, curve in zip(names, curves, strict=False)
    ]
    points = "points crowded" if bus.point_time_s.size > _CROWD else "points"
    parts.append(_path(points, _dots(bus.point_time_s, bus.point_gain_db, time, gain)))
    if bus.audit is not None and bus.audit.is_edited:
        parts.append(_path("now", _gain_line(bus.time_s, bus.audit.now_gain_db, time, gain)))
        parts.append(_path("edited", _dots(bus.audit.edited_time_s, bus.audit.edited_gain_db, time, gain)))
    background = _stretched(_path("level", _level_area(bus, time, level))) + _silence(bus, time)
    return _plot(time.ticks, gain.ticks, "".join(parts), background)


def compared_gains_plot(
    time_s: FloatArray, true_db: FloatArray, predicted_db: FloatArray, *, time: Axis, gain: Axis
) -> Markup:
    """Return the SVG of a true gain, dashed, and a predicted one; all arrays have the shape (n_frames,)."""
    curves = ""
    for name, gain_db in (("predicted", true_db), ("curve", predicted_db)):
        chosen = extreme_indices(gain_db, SMALL_VERTEX_LIMIT)
        line = line_path(time.place(time_s[chosen]), gain.place(drawable_gain(gain_db[chosen])))
        curves += _path(name, line)
    return _plot(time.ticks, gain.ticks, curves)


def spectra_plot(spectra: Sequence[Spectrum], frequency: Axis, level: Axis) -> Markup:
    """Return the SVG of the average spectra, one line style each."""
    curves = ""
    for number, spectrum in enumerate(spectra):
        inside = audible(spectrum) & (spectrum.frequency_hz <= frequency.high)
        across, levels = spectrum.frequency_hz[inside], spectrum.level_db[inside]
        chosen = extreme_indices(levels)
        line = line_path(frequency.place(across[chosen]), level.place(levels[chosen]))
        curves += _path(f"spectrum style-{spectrum_style(number, len(spectra))}", line)
    return _plot(frequency.ticks, level.ticks, curves)


def spectrum_style(number: int, count: int) -> int:
    """Return a spectrum's line style: 0 (solid) for the last one, dash patterns for the others."""
    return 0 if number == count - 1 else 1 + number % 4


def difference_db(first: Spectrum, last: Spectrum) -> FloatArray:
    """Return `last` minus `first` in dB at `last`'s frequencies, NaN where either is inaudible or unknown.

    Where one ends earlier, its highest band is left out: a codec's cutoff is inside it.

    Returns
    -------
    Shape (n_bands of `last`,).
    """
    known, reachable = audible(first), audible(last)
    if not known.any() or not reachable.any():
        return np.full(last.frequency_hz.size, np.nan)
    tops = [float(one.frequency_hz[heard].max()) for one, heard in ((first, known), (last, reachable))]
    if tops[0] != tops[1]:
        reachable &= last.frequency_hz < min(tops)
    at = np.log(np.where(reachable, last.frequency_hz, 1.0))
    below = np.interp(at, np.log(first.frequency_hz[known]), first.level_db[known], left=np.nan, right=np.nan)
    return np.where(reachable, last.level_db, np.nan) - below


def difference_plot(frequency_hz: FloatArray, difference: FloatArray, frequency: Axis, level: Axis) -> Markup:
    """Return the SVG of a difference of spectra (n_bands,) as a line and the area between it and 0 dB."""
    inside = (frequency_hz >= frequency.low) & (frequency_hz <= frequency.high)
    hertz, decibels = frequency_hz[inside], difference[inside]
    chosen = extreme_indices(decibels)
    across, up = frequency.place(hertz[chosen]), level.place(decibels[chosen])
    zero = np.full(up.size, level.place(np.zeros(1))[0])
    curves = _path("gap", band_path(across, zero, up)) + _path("spectrum style-0", line_path(across, up))
    return _plot(frequency.ticks, level.ticks, curves)


def _plot(across: Sequence[Tick], up: Sequence[Tick], curves: str, background: str = "") -> Markup:
    """Return a plot's SVG, from back to front: `background`, the grid at the ticks, the stretched `curves`."""
    grid = ""
    for ticks, ends in ((across, 'x1="{at}" x2="{at}" y2="100%"'), (up, 'y1="{at}" y2="{at}" x2="100%"')):
        for tick in ticks:
            at = percent(tick.at if ticks is across else 1 - tick.at)
            grid += f'<line class="{"zero" if tick.zero else "grid"}" {ends.format(at=at)}/>'
    return Markup(  # noqa: S704 - only numbers and fixed class names
        f'<svg class="drawing" aria-hidden="true" focusable="false">{background}{grid}{_stretched(curves)}</svg>'
    )


def _stretched(curves: str) -> str:
    return f"{_CURVES_OPEN}{curves}</svg>" if curves else ""


def _path(name: str, data: str) -> str:
    return f'<path class="{name}" d="{data}"/>' if data else ""


def _gain_line(time_s: FloatArray, gain_db: FloatArray, time: Axis, gain: Axis) -> str:
    chosen = extreme_indices(gain_db)
    return line_path(time.place(time_s[chosen]), gain.place(drawable_gain(gain_db[chosen])))


def _dots(time_s: FloatArray, gain_db: FloatArray, time: Axis, gain: Axis) -> str:
    chosen = extreme_indices(gain_db)
    return dots_path(time.place(time_s[chosen]), gain.place(drawable_gain(gain_db[chosen])))


def _level_area(bus: BusContent, time: Axis, level: Axis) -> str:
    """Return the area under the stem's level; silence is at the bottom."""
    known = np.where(np.isfinite(bus.level_lufs), bus.level_lufs, level.low)
    chosen = extreme_indices(known)
    chosen = chosen[np.isfinite(bus.time_s[chosen])]
    across, up = time.place(bus.time_s[chosen]), level.place(known[chosen])
    if not up.any():
        return ""
    ends = np.array([across[-1], across[0]])
    return "M" + _vertices(np.concatenate([across, ends]), np.concatenate([up, [0.0, 0.0]])) + "Z"


def _uncertainty_band(bus: BusContent, time: Axis, gain: Axis) -> str:
    """Return the band around the curve where it is narrow; each bucket shows its lowest and its highest edge."""
    if bus.uncertainty_db is None or not has_narrow_band(bus):
        return ""
    half = np.clip(bus.uncertainty_db, 0.0, GAIN_LIMIT_DB)
    width = max(1, -(-bus.time_s.size // (VERTEX_LIMIT // 2)))
    edges = np.arange(0, bus.time_s.size, width)
    curve = drawable_gain(bus.gain_db)
    lower = np.fmin.reduceat(curve - half, edges)
    upper = np.fmax.reduceat(curve + half, edges)
    across = time.place(bus.time_s[edges])
    across[-1] = time.place(bus.time_s[-1:])[0]
    return band_path(across, gain.place(lower), gain.place(upper))


def half_width_db(bus: BusContent) -> float:
    """Return the median half width of a bus's 80 % band where it has signal, dB; NaN without a band."""
    if bus.uncertainty_db is None or not bus.time_s.size or bus.is_kept:
        return math.nan
    if median_gain_db(bus.gain_db, bus.counted) <= ABSENT_DB:
        return math.nan
    shown = bus.uncertainty_db[bus.active] if bus.active.any() else bus.uncertainty_db
    finite = shown[np.isfinite(shown)]
    return float(np.median(finite)) if finite.size else math.nan


def has_narrow_band(bus: BusContent) -> bool:
    """Return whether a bus's 80 % band is narrow enough to draw."""
    return half_width_db(bus) <= NARROW_BAND_DB


def _silence(bus: BusContent, time: Axis) -> str:
    """Return hatched rectangles where the stem is silent; stretches too short to see are left out."""
    if not bus.time_s.size:
        return ""
    centres = time.place(bus.time_s)
    borders = np.nan_to_num(np.concatenate([[0.0], (centres[1:] + centres[:-1]) / 2, [1.0]]))
    stretches = ((borders[first], borders[past]) for first, past in runs_of(~bus.active))
    shortest = 1.0 / VERTEX_LIMIT if bus.time_s.size > VERTEX_LIMIT else 0.0
    return "".join(
        f'<rect class="silence" x="{percent(start)}" width="{percent(end - start)}" height="100%"/>'
        for start, end in stretches
        if end - start > shortest
    )
