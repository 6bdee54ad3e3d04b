"""The original method, ported to NumPy and SciPy line by line: what the speed benchmark compares against.

Conventions: as `core.analysis.paper`: left channel, 1 s frames every 0.25 s, one frame and one stem at a
time, float64 throughout. Nothing is shared with `core`, so that agreement means something.

Source: Zafrin & Chudwick (2015), section 3, and what their implementation does beyond the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from scipy.optimize import nnls

FloatArray = npt.NDArray[np.float64]

_WINDOW_SAMPLES = 1024
_GATE_RMS = 0.01
_EMA = 0.9


@dataclass(frozen=True)
class PortResult:
    """Gains before and after smoothing, (n_frames, n_buses), and condition 1 (n_frames, n_buses, 3)."""

    gains_raw: FloatArray
    gains: FloatArray
    features: FloatArray


def estimate(stems: list[Path], mixdown: Path) -> PortResult:
    """Return the gains of the original implementation for a song."""
    mix, sample_rate = _left_channel(mixdown)
    signals = [_left_channel(path)[0][: len(mix)] for path in stems]
    framed_stems = [_frames(signal, sample_rate) for signal in signals]
    framed_mix = _frames(mix, sample_rate)
    gains_raw = np.array([_gains([stem[i] for stem in framed_stems], frame) for i, frame in enumerate(framed_mix)])
    features = np.array([[_condition1(frame, sample_rate) for frame in stem] for stem in framed_stems])
    return PortResult(gains_raw, _smoothed(gains_raw), features.transpose(1, 0, 2))


def _left_channel(path: Path) -> tuple[FloatArray, int]:
    samples, sample_rate = soundfile.read(path, always_2d=True)
    return samples[:, 0], sample_rate


def _frames(signal: FloatArray, sample_rate: int) -> list[FloatArray]:
    overlap = round(0.75 * sample_rate)
    hop = sample_rate - overlap
    n_frames = (len(signal) - overlap) // hop + 1
    frames = [signal[i * hop : i * hop + sample_rate] for i in range(n_frames)]
    return [np.pad(frame, (0, sample_rate - len(frame))) for frame in frames]


def _gains(stems: list[FloatArray], mix: FloatArray) -> FloatArray:
    gains = np.zeros(len(stems))
    active = [i for i, stem in enumerate(stems) if np.sqrt(np.mean(stem**2)) > _GATE_RMS]
    if active:
        columns = np.stack([_magnitudes(stems[i]) for i in active], axis=1)
        gains[active] = nnls(columns, _magnitudes(mix))[0]
    return gains


def _magnitudes(frame: FloatArray) -> FloatArray:
    window = np.hamming(_WINDOW_SAMPLES)
    hop = _WINDOW_SAMPLES // 2
    n_windows = (len(frame) - _WINDOW_SAMPLES) // hop + 1
    spectra = [np.fft.rfft(frame[hop * j : hop * j + _WINDOW_SAMPLES] * window) for j in range(n_windows)]
    return np.abs(np.array(spectra)).ravel()


def _condition1(frame: FloatArray, sample_rate: int) -> tuple[float, float, float]:
    n_samples = len(frame)
    magnitude = np.abs(np.fft.rfft(frame))[: n_samples // 2]
    frequency_hz = np.linspace(0.0, sample_rate, n_samples)[: n_samples // 2]
    total = magnitude.sum()
    centroid = (frequency_hz * magnitude).sum() / total if total > 0.0 else 0.0
    axis_hz = np.linspace(0.0, sample_rate, n_samples // 2)
    centred_hz = axis_hz - axis_hz.mean()
    slope = (centred_hz * magnitude).sum() / (centred_hz * centred_hz).sum()
    return float(centroid), float(np.sqrt(np.mean(frame**2))), float(slope)


def _smoothed(curve: FloatArray) -> FloatArray:
    smoothed = curve.copy()
    previous = np.zeros(curve.shape[1])
    for i in range(1, len(curve)):
        previous = _EMA * previous + (1.0 - _EMA) * curve[i]
        smoothed[i] = previous
    return smoothed
