"""Average magnitude spectra of stems and mixes.

Conventions: Hann windows of 4096 samples start at multiples of their distance and end before the song does; magnitudes
are averaged over windows and channels. A full-scale sine has the magnitude 1.

Source: Zafrin & Chudwick (2015), section 5, with half overlap. Reports use every second window without overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from core.audio.blocks import Block, LockstepReader, for_each_block
from core.audio.io import Samples
from core.audio.song import Song
from core.decibels import FloatArray, db_to_gain, gain_to_db
from core.fft import rfft
from core.progress import ProgressCallback, no_progress

WINDOW_SAMPLES = 4096
OVERLAPPING_DISTANCE = WINDOW_SAMPLES // 2
SPARSE_DISTANCE = 2 * WINDOW_SAMPLES
_BANDS_AN_OCTAVE = 6


@dataclass(frozen=True)
class AverageSpectrum:
    """The average magnitude spectrum of a signal.

    Attributes
    ----------
    sample_rate : the signal's, in Hz.
    magnitude : average over windows and channels, a full-scale sine being 1, shape (n_bins,).
    """

    sample_rate: int
    magnitude: FloatArray

    @property
    def frequency_hz(self) -> FloatArray:
        """The bins' frequencies, shape (n_bins,)."""
        return np.fft.rfftfreq(WINDOW_SAMPLES, 1.0 / self.sample_rate).astype(np.float64)

    def with_gain_db(self, gain_db: float) -> AverageSpectrum:
        """Return the spectrum of the same signal with `gain_db` of gain."""
        return replace(self, magnitude=self.magnitude * float(db_to_gain(gain_db)))


class SpectrumSums:
    """Sums of windows' magnitudes per block of a signal, which may be added in any order.

    Parameters
    ----------
    sample_rate, n_samples : the signal's.
    distance : samples between the starts of two windows.
    """

    def __init__(self, sample_rate: int, n_samples: int, distance: int) -> None:
        self._sample_rate = sample_rate
        self._n_windows = max(0, (n_samples - WINDOW_SAMPLES) // distance + 1)
        self._distance = distance
        self._sums: dict[int, FloatArray] = {}

    def add(self, samples: Samples, start: int, end: int) -> None:
        """Add the windows that begin in samples `start` to `end` of the signal.

        Parameters
        ----------
        samples : shape (n_channels, n), from sample `start` to one window after `end`.
        """
        first, after = -(-start // self._distance), min(-(-end // self._distance), self._n_windows)
        if after <= first:
            return
        from_first = samples[:, first * self._distance - start :]
        windows = sliding_window_view(from_first, WINDOW_SAMPLES, axis=1)[:, :: self._distance][:, : after - first]
        magnitude = np.abs(rfft(windows * _hann()))
        self._sums[start] = magnitude.sum(axis=(0, 1), dtype=np.float64) / len(samples)

    def average(self) -> AverageSpectrum:
        """Return the average over all windows."""
        total = np.zeros(WINDOW_SAMPLES // 2 + 1)
        for start in sorted(self._sums):
            total += self._sums[start]
        scale = 2.0 / float(_hann().sum())
        return AverageSpectrum(self._sample_rate, total * (scale / max(self._n_windows, 1)))


def average_spectrum(samples: Samples, sample_rate: int, *, distance: int = OVERLAPPING_DISTANCE) -> AverageSpectrum:
    """Return the average spectrum of a whole signal (n_channels, n_samples), windows `distance` samples apart.

    Parameters
    ----------
    samples : shape (n_channels, n_samples).
    sample_rate : in Hz.
    distance : the distance of two windows in samples.

    Examples
    --------
    >>> import numpy as np
    >>> sine = 0.5 * np.sin(2 * np.pi * 100 / 4096 * np.arange(44100))
    >>> spectrum = average_spectrum(sine[None].astype(np.float32), 44_100)
    >>> int(spectrum.magnitude.argmax()), round(float(spectrum.magnitude.max()), 3)
    (100, 0.5)
    """
    sums = SpectrumSums(sample_rate, samples.shape[1], distance)
    sums.add(samples, 0, samples.shape[1])
    return sums.average()


@lru_cache
def _hann() -> Samples:
    return np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)


def in_bands(frequency_hz: FloatArray, magnitude: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return centres (Hz) and levels (dB) of sixths of an octave, 20 Hz to 20 kHz, (n_bands,), none empty."""
    edges_hz = 20.0 * 2.0 ** (np.arange(10 * _BANDS_AN_OCTAVE + 1) / _BANDS_AN_OCTAVE)
    band = np.digitize(frequency_hz, edges_hz) - 1
    centres_hz, levels_db = [], []
    for index in range(len(edges_hz) - 1):
        inside = band == index
        if inside.any():
            centres_hz.append(float(np.sqrt(edges_hz[index] * edges_hz[index + 1])))
            levels_db.append(float(gain_to_db(np.sqrt(np.mean(magnitude[inside] ** 2)))))
    return np.array(centres_hz), np.array(levels_db)


@dataclass(frozen=True, kw_only=True)
class MixSpectra:
    """Average magnitudes at `frequency_hz`, of the `human` mix and the `automatic` one, each (n_bins,)."""

    frequency_hz: FloatArray
    human: FloatArray
    automatic: FloatArray

    @property
    def difference_db(self) -> FloatArray:
        """How much louder the automatic mix is, dB, shape (n_bins,)."""
        return gain_to_db(self.automatic) - gain_to_db(self.human)


def mix_spectra(
    song: Song, time_s: FloatArray, gains: FloatArray, *, progress: ProgressCallback = no_progress
) -> MixSpectra:
    """Return the spectra of a song's mixdown and of its stems under `gains`, from one pass in bounded memory.

    The human mix is the unchanged mixdown file. The automatic one is the stems times their gains, linear between the
    frames' centres, without any common gain or limiter. Both end where the stems end.

    Parameters
    ----------
    song : a song with its mixdown.
    time_s, gains : the frames' centres (n_frames,) and the stems' linear gains there (n_frames, n_buses).
    progress : receives the fraction done; may raise to stop the work.

    Raises
    ------
    InputError
        A file is damaged.
    """
    reader = LockstepReader(song, with_mixdown=True)
    human, automatic = (SpectrumSums(song.sample_rate, song.n_samples, OVERLAPPING_DISTANCE) for _ in range(2))

    def add_block(block: Block) -> None:
        start, end = reader.span_of(block)
        at_s = (start + np.arange(block.samples.shape[2])) / song.sample_rate
        mix: Samples = np.zeros(block.samples.shape[1:], np.float32)
        for stem, gain in zip(block.samples[:-1], gains.T, strict=True):
            mix += stem * np.interp(at_s, time_s, gain).astype(np.float32)
        automatic.add(mix, start, end)
        human.add(block.samples[-1], start, end)

    with reader.blocks(after=WINDOW_SAMPLES) as blocks:
        for_each_block(blocks, add_block, reader, progress)
    spectra = automatic.average(), human.average()
    return MixSpectra(frequency_hz=spectra[0].frequency_hz, human=spectra[1].magnitude, automatic=spectra[0].magnitude)
