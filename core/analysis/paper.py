"""Zafrin & Chudwick's measurements and features as their original implementation computes them.

Conventions: left channel only; the song ends where its mixdown ends; frames of 1 s of the samples as they are; Gram
matrices of STFT magnitudes. Features use a rectangular window and an FFT of the frame's own length N, of which bins 0
to N/2 - 1 are used. docs/reference/method.md has the formulas and units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial

import numpy as np
import numpy.typing as npt
import scipy

from core.analysis.gram import magnitude_gram
from core.analysis.measure import ACTIVE_RMS, PAPER_NAMES, Arrays, Measurement, measure_blocks, signal_warnings
from core.analysis.spectra import real_transform
from core.audio.blocks import Block, LockstepReader, silence_after
from core.audio.framing import HOPS_PER_FRAME, sum_over_frames
from core.audio.io import Samples
from core.audio.song import Song
from core.decibels import FloatArray
from core.progress import ProgressCallback, no_progress

Frames = npt.NDArray[np.floating]

_K_FILTER_48K = (
    ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585)),
    ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)),
)
"""BS.1770's 48 kHz coefficients; the original uses them at every sample rate."""


def condition1(frames: Frames, sample_rate: int) -> FloatArray:
    """Return centroid (Hz), RMS and slope of frames (n, N), shape (n, 3)."""
    spectra = _spectra(frames, sample_rate)
    return np.stack([spectra.centroid_hz, np.sqrt(spectra.mean_square), spectra.slope], axis=1)


def condition2(weighted_frames: Frames, sample_rate: int) -> FloatArray:
    """Return centroid (Hz), spread (Hz^2), slope, loudness and crossings of K-weighted frames, shape (n, 5)."""
    spectra = _spectra(weighted_frames, sample_rate)
    deviation = (spectra.frequency_hz - spectra.centroid_hz[:, None]) ** 2
    spread = np.vecdot(deviation, spectra.magnitude) / spectra.total
    loudness = 0.691 * 10.0 * np.log10(spectra.mean_square + np.finfo(np.float64).eps)
    crossings = np.count_nonzero(np.diff(np.sign(weighted_frames), axis=1), axis=1)
    return np.stack([spectra.centroid_hz, spread, spectra.slope, loudness, crossings], axis=1)


class KWeighting:
    """The original's K-weighting of one signal, continued from block to block.

    GNU Octave's `filter` adds a section's state, feedback and input in a different order than SciPy's, and the zero
    crossings of a stem's decaying tail depend on it. Each section is therefore run at twice the rate on repeated
    samples, with its taps spread so that SciPy adds in Octave's order; the even outputs are then bit-exact.
    """

    def __init__(self) -> None:
        self._states = [np.zeros(4) for _ in _K_FILTER_48K]

    def __call__(self, samples: FloatArray) -> FloatArray:
        """Return the next samples K-weighted, shape (n_samples,)."""
        for index, (feed, back) in enumerate(_K_FILTER_48K):
            spread_feed = (feed[0], feed[1], 0.0, feed[2], 0.0)
            spread_back = (back[0], 0.0, back[1], 0.0, back[2])
            doubled, self._states[index] = scipy.signal.lfilter(
                spread_feed, spread_back, np.repeat(samples, 2), zi=self._states[index]
            )
            samples = doubled[::2]
        return samples


@dataclass(frozen=True)
class _Spectra:
    """Frames' magnitudes (n, N // 2) at frequencies (N // 2,), and mean squares (n,)."""

    frequency_hz: FloatArray
    centred_hz: FloatArray
    magnitude: FloatArray
    mean_square: FloatArray

    @cached_property
    def total(self) -> FloatArray:
        total: FloatArray = self.magnitude.sum(axis=1)
        return np.where(total == 0.0, 1.0, total)

    @cached_property
    def centroid_hz(self) -> FloatArray:
        return self.magnitude @ self.frequency_hz / self.total

    @property
    def slope(self) -> FloatArray:
        return self.magnitude @ self.centred_hz / (self.centred_hz @ self.centred_hz)


def _spectra(frames: Frames, sample_rate: int) -> _Spectra:
    """Return the frames' spectra, computed one by one so that they stay in the cache."""
    n_samples = frames.shape[1]
    transform = real_transform((n_samples,), np.float64)
    magnitude = np.empty((len(frames), n_samples // 2))
    mean_square = np.empty(len(frames))
    for index, frame in enumerate(frames):
        transform.rows[:] = frame
        mean_square[index] = np.vecdot(transform.rows, transform.rows) / n_samples
        transform.execute()
        np.abs(transform.spectra[: n_samples // 2], out=magnitude[index])
    return _Spectra(*_axes(n_samples, sample_rate), magnitude, mean_square)


@lru_cache
def _axes(n_samples: int, sample_rate: int) -> tuple[FloatArray, FloatArray]:
    frequency_hz = np.linspace(0.0, sample_rate, n_samples)[: n_samples // 2]
    too_long_hz = np.linspace(0.0, sample_rate, n_samples // 2)
    return frequency_hz, too_long_hz - too_long_hz.mean()


def measure_as_paper(
    song: Song, *, feature_set: str | None, with_mixdown: bool, progress: ProgressCallback = no_progress
) -> Measurement:
    """Measure a song in the paper preset.

    Parameters
    ----------
    song : the song.
    feature_set : ``"condition1"``, ``"condition2"`` or None for no features.
    with_mixdown : whether to build Gram matrices.
    progress : progress callback; may raise to stop the work.

    Raises
    ------
    InputError
        A file is damaged.
    """
    n_samples = song.mixdown.n_samples_at(song.sample_rate) if song.mixdown else song.n_samples
    reader = LockstepReader(song, with_mixdown=with_mixdown, n_samples=n_samples, n_channels=1)
    overlap = (HOPS_PER_FRAME - 1) * reader.framing.hop_samples
    recipe = _PaperRecipe(reader, len(song.stems), feature_set, with_mixdown)
    with reader.blocks(after=overlap, then=recipe.in_order) as blocks:
        arrays = measure_blocks(blocks, recipe.measure, reader, progress)
    return Measurement(
        title=song.title,
        buses=song.buses,
        sample_rate=song.sample_rate,
        rms=arrays["rms"],
        gram=arrays["gram"] if with_mixdown else None,
        features={bus: arrays["features"][:, i] for i, bus in enumerate(song.buses)} if feature_set else {},
        warnings=(*song.warnings(), *signal_warnings(song, reader, arrays["rms"])),
    )


@dataclass(frozen=True)
class _PaperRecipe:
    """Measures blocks; `weighted` contains K-weighted stems by first hop until they are used."""

    reader: LockstepReader
    n_stems: int
    feature_set: str | None
    with_mixdown: bool
    weighted: dict[int, list[FloatArray]] = field(default_factory=dict)

    @property
    def in_order(self) -> list[Callable[[Block], None]]:
        """The processing that needs the blocks in order: K-weighting of the stems for condition 2."""
        if self.feature_set != "condition2":
            return []
        return [partial(self._weight, stem, _OngoingWeighting()) for stem in range(self.n_stems)]

    def _weight(self, stem: int, weighting: _OngoingWeighting, block: Block) -> None:
        hop = self.reader.framing.hop_samples
        weighted = weighting(block.samples[stem, 0].astype(np.float64), block.n_hops * hop)
        silence_after(self.reader.n_samples, weighted, block.first_hop * hop)
        self.weighted.setdefault(block.first_hop, []).append(weighted)

    def measure(self, block: Block) -> Arrays:
        """Return the block's arrays, one row per frame; the last hops may begin no frame."""
        left = block.samples[:, 0]
        n_frames = max(0, min(block.n_hops, self.reader.n_frames - block.first_hop))
        arrays: Arrays = {"rms": self._rms(left[: self.n_stems], n_frames)}
        if self.with_mixdown:
            arrays["gram"] = np.zeros((n_frames, len(left), len(left)))
            for frame, heard in enumerate(arrays["rms"] > ACTIVE_RMS):
                signals = [*np.nonzero(heard)[0], self.n_stems]
                of_signals = [left[signal, self._samples_of(frame)] for signal in signals]
                arrays["gram"][frame][np.ix_(signals, signals)] = magnitude_gram(of_signals)
        if self.feature_set:
            weighted = self.weighted.pop(block.first_hop, None)
            featured = left[: self.n_stems] if weighted is None else np.stack(weighted)
            arrays["features"] = self._features(featured, n_frames)
        return arrays

    def _features(self, featured: Frames, n_frames: int) -> FloatArray:
        assert self.feature_set is not None  # noqa: S101 - checked by the caller; for the type checker
        features = np.empty((n_frames, self.n_stems, len(PAPER_NAMES[self.feature_set])))
        for frame in range(n_frames):
            stems = featured[:, self._samples_of(frame)]
            of_frames = condition1 if self.feature_set == "condition1" else condition2
            features[frame] = of_frames(stems, self.reader.framing.sample_rate)
        return features

    def _samples_of(self, frame: int) -> slice:
        start = frame * self.reader.framing.hop_samples
        return slice(start, start + self.reader.framing.frame_samples)

    def _rms(self, left: Samples, n_frames: int) -> FloatArray:
        framing = self.reader.framing
        n_hops = n_frames + HOPS_PER_FRAME - 1 if n_frames else 0
        hops = left[:, : n_hops * framing.hop_samples].reshape(self.n_stems, n_hops, framing.hop_samples)
        exact = [of_stem.astype(np.float64) for of_stem in hops]
        energy = np.stack([np.vecdot(of_stem, of_stem) for of_stem in exact], axis=1)
        return np.sqrt(sum_over_frames(energy) / framing.frame_samples) if n_frames else np.empty((0, self.n_stems))


class _OngoingWeighting:
    """K-weights overlapping stretches of one signal, each sample once."""

    def __init__(self) -> None:
        self._filter = KWeighting()
        self._carried: FloatArray = np.empty(0)

    def __call__(self, samples: FloatArray, advance: int) -> FloatArray:
        weighted = np.concatenate([self._carried, self._filter(samples[len(self._carried) :])])
        self._carried = weighted[advance:]
        return weighted
