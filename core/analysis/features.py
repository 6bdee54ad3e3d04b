"""Features of the default preset, conditions 1 and 2.

Conventions: an amplitude spectrum is the root of a frame's mean power spectrum over all channels; see
docs/reference/method.md for the table of formulas, units and corrections.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.analysis.loudness import loudness_lufs
from core.audio.framing import FRAME_S, HOPS_PER_FRAME
from core.decibels import FloatArray

if TYPE_CHECKING:
    from core.audio.io import Samples

PAPER_NAMES: Mapping[str, tuple[str, ...]] = {
    "condition1": ("centroid", "rms", "slope"),
    "condition2": ("centroid", "spread", "slope", "loudness", "crossings"),
}
"""Names of the paper's two feature sets, in their order."""


def spectral_shape(
    power_spectra: npt.NDArray[np.floating], frequency_hz: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return centroid (Hz), spread (Hz) and slope (1/Hz) of frames' power spectra (n, n_bins), each (n,)."""
    amplitude = np.sqrt(power_spectra.astype(np.float64))
    total = amplitude.sum(axis=1)
    total[total == 0.0] = 1.0
    centroid = amplitude @ frequency_hz / total
    variance = amplitude @ frequency_hz**2 / total - centroid**2
    centred_hz = frequency_hz - frequency_hz.mean()
    return centroid, np.sqrt(np.maximum(variance, 0.0)), amplitude @ centred_hz / (centred_hz @ centred_hz)


def crossing_rate(signal: Samples, hop_samples: int, n_frames: int) -> FloatArray:
    """Return zero crossings per second of frames, mean over channels; zero counts as positive.

    Parameters
    ----------
    signal : shape (n_channels, n_samples), from the first frame's start, through the last frame's end.
    hop_samples : the length of a hop in samples.
    n_frames : the number of frames.
    """
    negative = signal < 0.0
    crossed = negative[:, 1:] != negative[:, :-1]
    n_hops = n_frames + HOPS_PER_FRAME - 1
    padded = np.zeros((len(signal), n_hops * hop_samples), bool)
    padded[:, : crossed.shape[1]] = crossed[:, : padded.shape[1]]
    per_hop = padded.reshape(len(signal), n_hops, hop_samples).sum(axis=2).mean(axis=0)
    return np.convolve(per_hop, np.ones(HOPS_PER_FRAME), "valid") / FRAME_S


def condition1(power_spectra: npt.NDArray[np.floating], frequency_hz: FloatArray) -> FloatArray:
    """Return centroid (Hz), RMS and slope (1/Hz), shape (n, 3)."""
    centroid, _, slope = spectral_shape(power_spectra, frequency_hz)
    rms = np.sqrt(power_spectra.sum(axis=1, dtype=np.float64))
    return np.stack([centroid, rms, slope], axis=1)


def condition2(
    power_spectra: npt.NDArray[np.floating], frequency_hz: FloatArray, weighted_power: FloatArray, crossings: FloatArray
) -> FloatArray:
    """Return centroid (Hz), spread (Hz), slope (1/Hz), loudness (LUFS) and crossings (1/s), shape (n, 5).

    Parameters
    ----------
    power_spectra : power spectra of the frames, shape (n, n_bins).
    frequency_hz : the frequencies of the bins, shape (n_bins,).
    weighted_power : K-weighted power of the frames, shape (n,).
    crossings : zero crossings per second, shape (n,).
    """
    centroid, spread, slope = spectral_shape(power_spectra, frequency_hz)
    return np.stack([centroid, spread, slope, loudness_lufs(weighted_power), crossings], axis=1)
