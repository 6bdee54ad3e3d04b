"""The charts' axes: which stretch of a quantity is drawn, where its ticks stand and how they read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis_server.report.content import BusContent, FloatArray, Spectrum
from analysis_server.report.wording import clock_text, decimal_text, frequency_text

GAIN_LIMIT_DB = 120.0
"""Gains beyond this are drawn at it."""
SHARED_RANGE_DB = 24.0
"""Buses whose gain ranges over no more than this share one scale."""
BAND_MARGIN_DB = 6.0
"""How far beyond the curve the axis follows its uncertainty band."""
LEVEL_RANGE_DB = 50.0
SPECTRUM_RANGE_DB = 70.0
LOWEST_HZ, HIGHEST_HZ = 20.0, 20_000.0

_TIME_STEPS_S = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18_000)
_LEVEL_STEPS_DB = (1, 2, 3, 6, 10, 20, 40, 60)
_FREQUENCIES_HZ = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)


@dataclass(frozen=True)
class Tick:
    """A tick: `at` is its place along the axis (0..1); a `fine` one is left out where space is short."""

    at: float
    text: str
    fine: bool = False
    zero: bool = False


@dataclass(frozen=True)
class Axis:
    """The drawn stretch `low`..`high` of a quantity, logarithmic or not, with its ticks."""

    low: float
    high: float
    ticks: tuple[Tick, ...]
    logarithmic: bool = False

    def place(self, values: FloatArray) -> FloatArray:
        """Return where `values` stand along the axis, 0..1, held at its ends; NaN stays NaN."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high = math.log(low), math.log(high)
            values = np.log(np.maximum(values, np.finfo(np.float64).tiny))
        return np.clip((values - low) / (high - low), 0.0, 1.0)


def time_axis(duration_s: float, buses: Sequence[BusContent]) -> Axis:
    """Return the time axis every bus shares, 0 to the later of `duration_s` and the last frame."""
    ends = [duration_s, *(float(bus.time_s[-1]) for bus in buses if bus.time_s.size)]
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


def gain_axes(buses: Sequence[BusContent]) -> list[Axis]:
    """Return one gain axis per bus on which a decibel is equally tall.

    A bus that ranges over more than `SHARED_RANGE_DB` gets a scale of its own.
    """
    ranges = [_gain_range(bus) for bus in buses]
    shared = [stretch for stretch in ranges if stretch[1] - stretch[0] <= SHARED_RANGE_DB]
    return [_level_axis(stretch, shared if stretch in shared else [stretch]) for stretch in ranges]


def _gain_range(bus: BusContent) -> tuple[float, float]:
    """Return the lowest and highest gain to show, 0 dB included where it is near."""
    edited = [bus.audit.edited_gain_db] if bus.audit else []
    drawn = np.concatenate([*bus.gain_curves.values(), bus.point_gain_db, *edited])
    drawn = np.clip(drawn[np.isfinite(drawn)], -GAIN_LIMIT_DB, GAIN_LIMIT_DB)
    low, high = (float(drawn.min()), float(drawn.max())) if drawn.size else (0.0, 0.0)
    margin = _band_margin(bus)
    low, high = low - margin, high + margin
    return (0.0 if 0.0 < low < BAND_MARGIN_DB else low, 0.0 if -BAND_MARGIN_DB < high < 0.0 else high)


def _band_margin(bus: BusContent) -> float:
    """Return how much room the uncertainty band needs beyond the curve, in dB."""
    if bus.uncertainty_db is None:
        return 0.0
    finite = bus.uncertainty_db[np.isfinite(bus.uncertainty_db)]
    return float(np.clip(finite.max(), 0.0, BAND_MARGIN_DB)) if finite.size else 0.0


def _level_axis(stretch: tuple[float, float], shared: Sequence[tuple[float, float]]) -> Axis:
    """Return a decibel axis over `stretch`, with the step and the extent that all of `shared` need."""
    widest = max(high - low for low, high in shared)
    step = next((step for step in _LEVEL_STEPS_DB if widest / step <= 4), _LEVEL_STEPS_DB[-1])
    count = max(3, *(_steps_needed(each, step) for each in shared))
    spare = count - _steps_needed(stretch, step)
    first = math.floor(stretch[0] / step + 1e-9) - spare // 2
    return _stepped_axis(first, count, step, signed=True)


def _steps_needed(stretch: tuple[float, float], step: float) -> int:
    """Return how many whole steps, on multiples of `step`, cover `stretch`."""
    return max(1, math.ceil(stretch[1] / step - 1e-9) - math.floor(stretch[0] / step + 1e-9))


def _stepped_axis(first: int, count: int, step: float, *, signed: bool) -> Axis:
    """Return the axis from `first` steps up over `count` steps, ticked at each step."""
    ticks = (
        Tick(
            number / count,
            decimal_text((first + number) * step, 0, signed=signed),
            zero=first + number == 0,
        )
        for number in range(count + 1)
    )
    return Axis(first * step, (first + count) * step, tuple(ticks))


def loudness_axis(buses: Sequence[BusContent]) -> Axis:
    """Return the level axis all buses share: `LEVEL_RANGE_DB` down from the loudest frame."""
    levels = [bus.level_lufs[np.isfinite(bus.level_lufs)] for bus in buses]
    top = max((float(level.max()) for level in levels if level.size), default=0.0)
    top_step = math.ceil(float(np.clip(top, -120.0, 60.0)) / 10)
    count = round(LEVEL_RANGE_DB / 10)
    return _stepped_axis(top_step - count, count, 10.0, signed=False)


def frequency_axis() -> Axis:
    """Return the audible range on a logarithmic axis."""
    span = math.log(HIGHEST_HZ / LOWEST_HZ)
    ticks = (
        Tick(math.log(mark / LOWEST_HZ) / span, frequency_text(mark), fine=str(mark)[0] == "5")
        for mark in _FREQUENCIES_HZ
    )
    return Axis(LOWEST_HZ, HIGHEST_HZ, tuple(ticks), logarithmic=True)


def spectrum_axis(spectra: Sequence[Spectrum]) -> Axis:
    """Return the level axis of the average spectra, at most `SPECTRUM_RANGE_DB` deep."""
    audible = [_audible(spectrum) for spectrum in spectra]
    values = np.concatenate([*audible, np.empty(0)])
    low, high = (float(values.min()), float(values.max())) if values.size else (-60.0, 0.0)
    high_step = math.ceil(high / 10 + 1e-9)
    low_step = max(math.floor(low / 10 - 1e-9), high_step - round(SPECTRUM_RANGE_DB / 10))
    return _stepped_axis(low_step, max(high_step - low_step, 1), 10.0, signed=False)


def _audible(spectrum: Spectrum) -> FloatArray:
    """Return the finite levels of the bands between 20 Hz and 20 kHz, within ±300 dB."""
    inside = (spectrum.frequency_hz >= LOWEST_HZ) & (spectrum.frequency_hz <= HIGHEST_HZ)
    return np.clip(spectrum.level_db[inside & np.isfinite(spectrum.level_db)], -300.0, 300.0)


def difference_axis(difference_db: FloatArray) -> Axis:
    """Return an axis symmetric about 0 dB that holds a difference of spectra, at most ±24 dB."""
    finite = np.abs(difference_db[np.isfinite(difference_db)])
    peak = float(finite.max()) if finite.size else 0.0
    step = next((step for step in (1.0, 2.0, 3.0, 6.0) if peak <= 2 * step), 12.0)
    return _stepped_axis(-2, 4, step, signed=True)
