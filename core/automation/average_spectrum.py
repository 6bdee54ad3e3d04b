"""Average magnitude spectra of stems and mixes.

Source: Zafrin & Chudwick (2015), section 5: 4096-point Hann windows, half overlap, magnitudes averaged over time.

Conventions: the human mix is the mixdown's file as it is; the automatic one is the stems times their gains, linear
between the frames' centres, and nothing else: no common gain, no limiter. Both end where the stems end.

Source: Zafrin & Chudwick (2015), section 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.lib.stride_tricks import sliding_window_view

from core.audio.blocks import LockstepReader
from core.audio.io import Samples
from core.audio.song import Song
from core.decibels import FloatArray, db_to_gain, gain_to_db
from core.progress import ProgressCallback, no_progress

WINDOW_SAMPLES = 4096
_HOP = WINDOW_SAMPLES // 2
_BANDS_AN_OCTAVE = 6


class AverageSpectrum:
    """Gathers the average magnitude spectrum of a signal that comes in pieces."""

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self.frequency_hz: FloatArray = np.fft.rfftfreq(WINDOW_SAMPLES, 1.0 / sample_rate).astype(np.float64)
        self._sum = np.zeros(WINDOW_SAMPLES // 2 + 1)
        self._n_windows = 0
        self._left_over = np.empty((0, 0), np.float32)
        self._window = np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)

    def add(self, samples: Samples) -> None:
        """Take in the next samples, shape (n_channels, n_samples)."""
        left_over = self._left_over if self._left_over.size else samples[:, :0]
        signal = np.concatenate([left_over, samples], axis=1)
        n_windows = max(0, (signal.shape[1] - WINDOW_SAMPLES) // _HOP + 1)
        if n_windows:
            windows = sliding_window_view(signal, WINDOW_SAMPLES, axis=1)[:, ::_HOP]
            magnitude = np.abs(scipy.fft.rfft(windows * self._window))
            self._sum += magnitude.mean(axis=0).sum(axis=0, dtype=np.float64)
            self._n_windows += n_windows
        self._left_over = signal[:, n_windows * _HOP :].copy()

    def with_gain_db(self, gain_db: float) -> AverageSpectrum:
        """Return the spectrum of the same signal, `gain_db` louder."""
        moved = AverageSpectrum(self._sample_rate)
        moved._sum, moved._n_windows = self._sum * float(db_to_gain(gain_db)), self._n_windows
        return moved

    @property
    def magnitude(self) -> FloatArray:
        """The average over windows and channels, a full-scale sine being 1, shape (n_bins,)."""
        scale = 2.0 / float(self._window.sum())
        return self._sum * (scale / max(self._n_windows, 1))


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

    Parameters
    ----------
    song : a song with its mixdown.
    time_s, gains : the frames' centres (n_frames,) and the stems' linear gains there (n_frames, n_buses).
    progress : is told the fraction done; may raise to stop the work.

    Raises
    ------
    InputError
        A file is damaged.
    """
    human, automatic = AverageSpectrum(song.sample_rate), AverageSpectrum(song.sample_rate)
    reader = LockstepReader(song, with_mixdown=True)
    with reader.blocks() as blocks:
        for block in blocks:
            start = block.first_hop * reader.framing.hop_samples
            samples = reader.up_to_the_end(block)
            at_s = (start + np.arange(samples.shape[2])) / song.sample_rate
            automatic.add(_mixed(samples[:-1], at_s, time_s, gains))
            human.add(samples[-1])
            progress(block.end_hop / reader.n_hops)
    return MixSpectra(frequency_hz=human.frequency_hz, human=human.magnitude, automatic=automatic.magnitude)


def _mixed(stems: Samples, at_s: FloatArray, time_s: FloatArray, gains: FloatArray) -> Samples:
    mix: Samples = np.zeros(stems.shape[1:], np.float32)
    for stem, gain in zip(stems, gains.T, strict=True):
        mix += stem * np.interp(at_s, time_s, gain).astype(np.float32)
    return mix
