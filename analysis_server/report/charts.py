"""Charts as SVG: curves are stretched to their plot's size while strokes and type keep theirs.

Each plot is an SVG without a `viewBox`, whose grid and hatching are placed in percent, around a nested one
that stretches the curves; strokes do not scale. Tick labels are HTML beside the plot, so they stay legible
at any width.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis_server.report.axes import GAIN_LIMIT_DB, Axis, Tick
from analysis_server.report.content import BusContent, FloatArray, Spectrum
from analysis_server.report.decimation import VERTEX_LIMIT, bucket_edges, extreme_indices, runs_of

PLOT_WIDTH, PLOT_HEIGHT = 10_000, 1_000
_CROWD = 120  # so many automation points call for smaller dots
_CURVES_OPEN = f'<svg viewBox="0 0 {PLOT_WIDTH} {PLOT_HEIGHT}" preserveAspectRatio="none" width="100%" height="100%">'


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
    """Return finite vertices as whole plot units; a lone one is a stroke of no length, which draws a dot."""
    x = np.rint(across * PLOT_WIDTH).astype(int).tolist()
    y = np.rint((1.0 - up) * PLOT_HEIGHT).astype(int).tolist()
    text = " ".join(f"{left} {top}" for left, top in zip(x, y, strict=True))
    return text if len(x) > 1 else f"{text}h0"


def band_path(across: FloatArray, lower: FloatArray, upper: FloatArray) -> str:
    """Return closed SVG path data between two curves over the same vertices, broken where not finite."""
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
    """Return SVG path data that draws a dot at each finite vertex."""
    finite = np.isfinite(across) & np.isfinite(up)
    pairs = zip(across[finite], up[finite], strict=True)
    return "".join("M" + _vertices(np.array([left]), np.array([top])) for left, top in pairs)


def drawable_gain(gain_db: FloatArray) -> FloatArray:
    """Return gains within the drawable range, NaN where there is none to draw."""
    return np.where(np.isfinite(gain_db), np.clip(gain_db, -GAIN_LIMIT_DB, GAIN_LIMIT_DB), np.nan)


def bus_plot(bus: BusContent, time: Axis, gain: Axis, level: Axis) -> str:
    """Return the SVG of one bus: level area, silence, uncertainty band, gain curve and automation points."""
    curves = "".join(
        [
            _path("band", _uncertainty_band(bus, time, gain)),
            *_gain_curves(bus, time, gain),
            _path(_points_style(bus), _dots(bus.point_time_s, bus.point_gain_db, time, gain)),
            *_edits(bus, time, gain),
        ]
    )
    ground = f"{_stretched(_path('level', _level_area(bus, time, level)))}{_silence(bus, time)}"
    return plot_svg(time.ticks, gain.ticks, curves, ground)


def plot_svg(across: Sequence[Tick], up: Sequence[Tick], curves: str, ground: str = "") -> str:
    """Return a plot's SVG, from the back: `ground`, the grid at the ticks, the stretched `curves`."""
    return (
        '<svg class="drawing" aria-hidden="true" focusable="false">'
        f"{ground}{_grid(across, up)}{_stretched(curves)}</svg>"
    )


def _stretched(curves: str) -> str:
    return f"{_CURVES_OPEN}{curves}</svg>" if curves else ""


def _grid(across: Sequence[Tick], up: Sequence[Tick]) -> str:
    """Return the lines at the ticks of both axes."""
    upright = (_line(f'x1="{percent(tick.at)}" x2="{percent(tick.at)}" y2="100%"', tick) for tick in across)
    level = (_line(f'y1="{percent(1 - tick.at)}" y2="{percent(1 - tick.at)}" x2="100%"', tick) for tick in up)
    return "".join([*upright, *level])


def _line(ends: str, tick: Tick) -> str:
    return f'<line class="{"zero" if tick.zero else "grid"}" {ends}/>'


def _path(name: str, data: str) -> str:
    return f'<path class="{name}" d="{data}"/>' if data else ""


def _points_style(bus: BusContent) -> str:
    """Return the classes of the automation points: smaller dots where they would run together."""
    return "points crowded" if bus.point_time_s.size > _CROWD else "points"


def _gain_curves(bus: BusContent, time: Axis, gain: Axis) -> list[str]:
    """Return the gain curve; of an audit, what was predicted and what was written; of a comparison, A and B."""
    first, *others = bus.gain_curves.values()
    if not others:
        return [_path("curve", _gain_line(bus.time_s, first, time, gain))]
    return [
        _path("predicted", _gain_line(bus.time_s, first, time, gain)),
        _path("curve", _gain_line(bus.time_s, others[0], time, gain)),
    ]


def _edits(bus: BusContent, time: Axis, gain: Axis) -> list[str]:
    """Return the curve as it stands now and the points made by hand, where an audit found any."""
    if bus.audit is None or not bus.audit.is_edited:
        return []
    return [
        _path("now", _gain_line(bus.time_s, bus.audit.now_gain_db, time, gain)),
        _path("edited", _dots(bus.audit.edited_time_s, bus.audit.edited_gain_db, time, gain)),
    ]


def _gain_line(time_s: FloatArray, gain_db: FloatArray, time: Axis, gain: Axis) -> str:
    chosen = extreme_indices(gain_db)
    return line_path(time.place(time_s[chosen]), gain.place(drawable_gain(gain_db[chosen])))


def _dots(time_s: FloatArray, gain_db: FloatArray, time: Axis, gain: Axis) -> str:
    chosen = extreme_indices(gain_db)
    return dots_path(time.place(time_s[chosen]), gain.place(drawable_gain(gain_db[chosen])))


def _level_area(bus: BusContent, time: Axis, level: Axis) -> str:
    """Return the area under the stem's level; silence lies on the axis."""
    known = np.where(np.isfinite(bus.level_lufs), bus.level_lufs, level.low)
    chosen = extreme_indices(known)
    chosen = chosen[np.isfinite(bus.time_s[chosen])]
    across, up = time.place(bus.time_s[chosen]), level.place(known[chosen])
    if not up.any():
        return ""
    ends = np.array([across[-1], across[0]])
    return "M" + _vertices(np.concatenate([across, ends]), np.concatenate([up, [0.0, 0.0]])) + "Z"


def _uncertainty_band(bus: BusContent, time: Axis, gain: Axis) -> str:
    """Return the band about the curve; each bucket of frames shows its lowest and its highest edge."""
    if bus.uncertainty_db is None or not bus.time_s.size:
        return ""
    half = np.clip(bus.uncertainty_db, 0.0, GAIN_LIMIT_DB)
    edges = bucket_edges(bus.time_s.size, VERTEX_LIMIT // 2)
    curve = drawable_gain(bus.gain_db)
    lower = np.fmin.reduceat(curve - half, edges)
    upper = np.fmax.reduceat(curve + half, edges)
    across = time.place(bus.time_s[edges])
    across[-1] = time.place(bus.time_s[-1:])[0]
    return band_path(across, gain.place(lower), gain.place(upper))


def _silence(bus: BusContent, time: Axis) -> str:
    """Return hatched rectangles where the stem is silent; stretches too short to see are left out."""
    if not bus.time_s.size:
        return ""
    borders = _frame_borders(time.place(bus.time_s))
    stretches = ((borders[first], borders[past]) for first, past in runs_of(~bus.active))
    shortest = 1.0 / VERTEX_LIMIT if bus.time_s.size > VERTEX_LIMIT else 0.0
    return "".join(
        f'<rect class="silence" x="{percent(start)}" width="{percent(end - start)}" height="100%"/>'
        for start, end in stretches
        if end - start > shortest
    )


def _frame_borders(centres: FloatArray) -> FloatArray:
    """Return the borders of frames from their centres, shape (n_frames + 1,), the outer ones at the ends."""
    between = (centres[1:] + centres[:-1]) / 2
    borders: FloatArray = np.nan_to_num(np.concatenate([[0.0], between, [1.0]]))
    return borders


def spectra_plot(spectra: Sequence[Spectrum], frequency: Axis, level: Axis) -> str:
    """Return the SVG of the average spectra, one line style each."""
    curves = (
        _path(
            f"spectrum style-{spectrum_style(number, len(spectra))}",
            _spectrum_line(spectrum, frequency, level),
        )
        for number, spectrum in enumerate(spectra)
    )
    return plot_svg(frequency.ticks, level.ticks, "".join(curves))


def spectrum_style(number: int, count: int) -> int:
    """Return a spectrum's line style: 0, solid, is the last's; the others' dash patterns go round."""
    return 0 if number == count - 1 else 1 + number % 4


def _spectrum_line(spectrum: Spectrum, frequency: Axis, level: Axis) -> str:
    inside = (spectrum.frequency_hz >= frequency.low) & (spectrum.frequency_hz <= frequency.high)
    across, levels = spectrum.frequency_hz[inside], spectrum.level_db[inside]
    chosen = extreme_indices(levels)
    up = np.where(np.isfinite(levels), level.place(levels), np.nan)
    return line_path(frequency.place(across[chosen]), up[chosen])


def difference_db(first: Spectrum, last: Spectrum) -> FloatArray:
    """Return `last` minus `first` in dB at `last`'s frequencies, NaN where `first` does not reach.

    Returns
    -------
    Shape (n_bands of `last`,).
    """
    known = np.isfinite(first.level_db) & (first.frequency_hz > 0)
    reachable = last.frequency_hz > 0
    if not known.any():
        return np.full(last.frequency_hz.size, np.nan)
    at = np.log(np.where(reachable, last.frequency_hz, 1.0))
    below = np.interp(at, np.log(first.frequency_hz[known]), first.level_db[known], left=np.nan, right=np.nan)
    return np.where(reachable & np.isfinite(last.level_db), last.level_db, np.nan) - below


def difference_plot(frequency_hz: FloatArray, difference: FloatArray, frequency: Axis, level: Axis) -> str:
    """Return the SVG of a difference of spectra as a line and the area between it and 0 dB."""
    inside = (frequency_hz >= frequency.low) & (frequency_hz <= frequency.high)
    hertz, decibels = frequency_hz[inside], difference[inside]
    chosen = extreme_indices(decibels)
    across, up = frequency.place(hertz[chosen]), level.place(decibels[chosen])
    zero = np.full(up.size, level.place(np.zeros(1))[0])
    curves = _path("gap", band_path(across, zero, up)) + _path("spectrum style-0", line_path(across, up))
    return plot_svg(frequency.ticks, level.ticks, curves)
