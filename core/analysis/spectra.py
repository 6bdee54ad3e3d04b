"""Short-time power spectra in 50 ms steps.

Conventions: a window is two steps (100 ms) long and centred on its step. Its shape is a half sine, so the squares of
two neighbours add to 1 and the powers of all windows add to the signal's. A power spectrum is one-sided, is the sum
over the channels, and its bins sum to the step's mean square; shape (n_steps, n_bins), float32.

Real FFTs are computed by FFTW for bit-exact agreement with GNU Octave: where a filter's tail has decayed to the
smallest numbers, a spectrum contains only rounding errors of the FFT, and the original's features of such frames are
FFTW's. FFTW is also up to twice as fast as SciPy on these sizes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from core.analysis.loudness import k_weights
from core.audio.framing import STEPS_PER_HOP, Framing
from core.decibels import FloatArray
from core.fft import fft

if TYPE_CHECKING:
    from core.audio.io import Samples

BAND_EDGES_HZ = (
    *(0, 100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480),
    *(1720, 2000, 2320, 2700, 3150, 3700, 4400, 5300, 6400, 7700, 9500, 12_000),
)
"""Lower edges of the critical bands (Zwicker 1961, Bark); the last band has no upper edge."""
N_BANDS = len(BAND_EDGES_HZ)


def samples_before(framing: Framing) -> int:
    """Return by how many samples the first window extends before the first hop."""
    return framing.step_samples // 2


def samples_after(framing: Framing) -> int:
    """Return by how many samples the last window extends after the last hop."""
    return 2 * framing.step_samples - samples_before(framing) - framing.step_samples


def frequencies_hz(framing: Framing) -> FloatArray:
    """Return the bins' frequencies, shape (n_bins,): 10 Hz apart."""
    return np.fft.rfftfreq(2 * framing.step_samples, 1.0 / framing.sample_rate).astype(np.float64)


def step_power_spectra(signal: Samples, framing: Framing, n_hops: int) -> Samples:
    """Return the power spectra of a signal's steps.

    Parameters
    ----------
    signal : shape (n_channels, n_samples), beginning `samples_before` before the first hop.
    framing : the hops and steps of the sample rate.
    n_hops : the number of hops.
    """
    n_bins = framing.step_samples + 1
    total: Samples = np.zeros((n_hops * STEPS_PER_HOP, n_bins), np.float32)
    for parts in _squared_parts(signal, framing, n_hops):
        two_sided = parts[:, ::2] + parts[:, 1::2]
        total += two_sided[:, :n_bins]
        total[:, 1:-1] += two_sided[:, : n_bins - 1 : -1]
    return total


def step_powers(signals: Samples, framing: Framing, n_hops: int, bands: Samples | None = None) -> FloatArray:
    """Return the power of signals' steps, as it is and K-weighted, shape (n_signals, n_steps, 2); channels are added.

    A step's power is the mean square of its samples. Its K-weighted share is taken from the spectrum of the whole hop,
    whose bins are 4 Hz apart: fine enough for the weighting's slope at 38 Hz, unlike a spectrum of 50 ms. The same
    spectrum gives the power per band of `BAND_EDGES_HZ`, which is written into `bands`.

    Parameters
    ----------
    signals : shape (n_signals, n_channels, n_samples), beginning with the first hop.
    framing : the hops and steps of the sample rate.
    n_hops : the number of hops.
    bands : output for the mean squares per band, shape (n_signals, n_hops, N_BANDS), channels added; or None.
    """
    plain = np.zeros((len(signals), n_hops * STEPS_PER_HOP))
    weighted = np.zeros((len(signals), n_hops))
    if bands is not None:
        bands[:] = 0.0
    for pair in _complex_pairs(signals[..., : n_hops * framing.hop_samples]):
        steps = pair.view(np.float32).reshape(*plain.shape, 2 * framing.step_samples)
        energy = np.vecdot(steps, steps)
        plain += energy / framing.step_samples
        hops = pair.reshape(*weighted.shape, framing.hop_samples)
        heard = energy.reshape(*weighted.shape, STEPS_PER_HOP).any(axis=2)
        for index, of_signal in enumerate(hops):  # one at a time, so spectra stay in the cache
            _add_weighted(of_signal, heard[index], framing, weighted[index], None if bands is None else bands[index])
    total = plain.reshape(*weighted.shape, STEPS_PER_HOP).mean(axis=2)
    kept = np.divide(weighted, total, out=np.zeros_like(total), where=total > 0.0)
    return np.stack([plain, plain * np.repeat(kept, STEPS_PER_HOP, axis=1)], axis=2)


def _add_weighted(
    hops: npt.NDArray[np.complex64],
    heard: npt.NDArray[np.bool_],
    framing: Framing,
    weighted: FloatArray,
    bands: Samples | None,
) -> None:
    """Add a signal's hops' (n_hops, hop_samples) K-weighted powers and those per band, in place.

    Silent hops, common in stems, are skipped.
    """
    own = np.s_[:] if heard.all() else heard  # a mask makes a copy
    spectra: Samples = fft(hops[own]).view(np.float32)
    squares = np.square(spectra, out=spectra)
    weighted[own] += squares @ _k_weights(framing)
    if bands is not None:
        bands[own] += _band_powers(squares, framing)


def hop_powers(signals: Samples, framing: Framing, n_hops: int) -> FloatArray:
    """Return the mean squares of signals' hops, shape (n_signals, n_hops); channels are added.

    Parameters
    ----------
    signals : shape (n_signals, n_channels, n_samples), beginning with the first hop.
    framing : the hops of the sample rate.
    n_hops : the number of hops.
    """
    total = np.zeros((len(signals), n_hops))
    for pair in _complex_pairs(signals[..., : n_hops * framing.hop_samples]):
        hops = pair.view(np.float32).reshape(*total.shape, 2 * framing.hop_samples)
        total += np.vecdot(hops, hops) / framing.hop_samples
    return total


def _band_powers(squares: Samples, framing: Framing) -> Samples:
    """Return the bands' mean squares from the squared parts of hops' two-sided spectra, shape (n_hops, N_BANDS)."""
    starts = _band_starts(framing)
    n_used = (len(starts) + 1) // 2
    sums = np.add.reduceat(squares, starts, axis=1) / np.float32(framing.hop_samples) ** 2
    bands: Samples = np.zeros((len(squares), N_BANDS), np.float32)
    bands[:, :n_used] = sums[:, :n_used]
    bands[:, : n_used - 1] += sums[:, : n_used - 1 : -1]
    return bands


@lru_cache
def _band_starts(framing: Framing) -> npt.NDArray[np.intp]:
    """Return where the bands below the Nyquist frequency begin among the parts of a hop's two-sided spectrum.

    First the rising bands; the topmost continues into its mirror image; then the others' mirror images.
    """
    n_bins = framing.hop_samples
    rising = np.ceil(np.array(BAND_EDGES_HZ) * n_bins / framing.sample_rate).astype(np.intp)
    rising = rising[rising <= n_bins // 2]
    return 2 * np.concatenate([rising, n_bins + 1 - rising[:0:-1]])


@lru_cache
def _k_weights(framing: Framing) -> Samples:
    """Return how the squared parts of a hop's two-sided spectrum count for its K-weighted mean square, (2 * hop,)."""
    frequency_hz = np.abs(np.fft.fftfreq(framing.hop_samples, 1.0 / framing.sample_rate))
    weights = k_weights(framing.sample_rate, frequency_hz) / framing.hop_samples**2
    return np.repeat(weights, 2).astype(np.float32)


def _squared_parts(signal: Samples, framing: Framing, n_hops: int) -> Iterator[Samples]:
    """Yield, per pair of channels, the squared real and imaginary parts of its steps' two-sided spectra.

    Shape (n_steps, 2 * window).
    """
    window = _half_sine(2 * framing.step_samples)
    for (pair,) in _complex_pairs(signal[None]):
        windows = sliding_window_view(pair.view(np.float32), len(window))[:: 2 * framing.step_samples]
        windowed = (windows[: n_hops * STEPS_PER_HOP] * window).view(np.complex64)
        parts: Samples = fft(windowed, in_place=True).view(np.float32)
        yield np.square(parts, out=parts)


def _complex_pairs(signals: Samples) -> Iterator[npt.NDArray[np.complex64]]:
    """Yield each two channels of signals (m, n_channels, n_samples) as the parts of complex ones, shape (m, n_samples).

    One FFT then serves both: its power summed over a bin and its mirror image is the sum of the two channels' powers.
    Channels that are interleaved in memory are used without a copy.
    """
    for first in range(0, signals.shape[1], 2):
        pair = signals[:, first : first + 2].swapaxes(1, 2)
        if pair.shape[2] == 2 and pair.strides[1:] == (2 * pair.itemsize, pair.itemsize):
            yield pair.view(np.complex64)[..., 0]
            continue
        packed = np.zeros(pair.shape[:2], np.complex64)
        packed.real = pair[..., 0]
        if pair.shape[2] == 2:
            packed.imag = pair[..., 1]
        yield packed


@lru_cache
def _half_sine(length: int) -> Samples:
    """Return the window, each value twice, scaled so that a two-sided power spectrum sums to the mean square."""
    window = np.sin(np.pi * (np.arange(length) + 0.5) / length)
    return np.repeat(window / np.sqrt(length * (length // 2)), 2).astype(np.float32)


_COMPLEX = {np.dtype(np.float32): np.complex64, np.dtype(np.float64): np.complex128}
_planning = threading.Lock()
_plans = threading.local()


@dataclass(frozen=True)
class RealTransform:
    """Real FFTs along the last axis: fill `rows` (..., N), call `execute`, read `spectra` (..., N // 2 + 1).

    Both arrays belong to the calling thread and are reused for every transform of that shape. Filling `rows` in place
    saves copies that would take as long as the transform.
    """

    rows: npt.NDArray[np.floating]
    spectra: npt.NDArray[np.complexfloating]
    execute: Callable[[], object]


def real_transform(shape: tuple[int, ...], dtype: type[np.float32] | type[np.float64]) -> RealTransform:
    """Return the calling thread's transform of rows of `shape` in the precision of `dtype`."""
    if not hasattr(_plans, "made"):
        _plans.made = {}
    made: dict[tuple[tuple[int, ...], type], RealTransform] = _plans.made
    if (shape, dtype) not in made:
        made[shape, dtype] = _planned(shape, np.dtype(dtype))
    return made[shape, dtype]


def _planned(shape: tuple[int, ...], dtype: np.dtype[np.floating]) -> RealTransform:
    import pyfftw  # noqa: PLC0415 - it loads all of its interfaces, so only where a transform is planned

    rows = pyfftw.zeros_aligned(shape, dtype)
    spectra = pyfftw.empty_aligned((*shape[:-1], shape[-1] // 2 + 1), _COMPLEX[dtype])
    with _planning:  # FFTW executes plans in parallel, but creates them one at a time
        plan = pyfftw.FFTW(rows, spectra, axes=(-1,), flags=("FFTW_ESTIMATE",))
    return RealTransform(rows, spectra, plan.execute)
