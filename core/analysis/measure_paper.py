"""Measure a song as Zafrin & Chudwick's original implementation does.

Conventions: left channel only, the song ends where its mixdown ends, frames of the samples as they are, Gram
matrices of STFT magnitudes, the original's own features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from core.analysis import features_paper
from core.analysis.gram import magnitude_gram
from core.analysis.measure import ACTIVE_RMS, Arrays, Measurement, level_notes, measure_blocks
from core.audio.blocks import Block, LockstepReader, silence_after
from core.audio.framing import HOPS_PER_FRAME, sum_over_frames
from core.audio.io import Samples
from core.audio.song import Song
from core.decibels import FloatArray
from core.progress import ProgressCallback, no_progress

_FEATURES: dict[str, Callable[[features_paper.Frames, int], FloatArray]] = {
    "condition1": features_paper.condition1,
    "condition2": features_paper.condition2,
}


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
        notes=(*song.notes(), *level_notes(song, reader, arrays["rms"])),
    )


@dataclass(frozen=True)
class _PaperRecipe:
    """What is done with a block; `weighted` holds K-weighted stems by first hop, from when they are made until used."""

    reader: LockstepReader
    n_stems: int
    feature_set: str | None
    with_mixdown: bool
    weighted: dict[int, list[FloatArray]] = field(default_factory=dict)

    @property
    def in_order(self) -> list[Callable[[Block], None]]:
        """What must be done with the blocks in their order: for condition 2 the stems go through the K-weighting."""
        if self.feature_set != "condition2":
            return []
        return [partial(self._weigh, stem, _OngoingWeighting()) for stem in range(self.n_stems)]

    def _weigh(self, stem: int, weighting: _OngoingWeighting, block: Block) -> None:
        hop = self.reader.framing.hop_samples
        weighted = weighting(block.samples[stem, 0].astype(np.float64), block.n_hops * hop)
        silence_after(self.reader.n_samples, weighted, block.first_hop * hop)
        self.weighted.setdefault(block.first_hop, []).append(weighted)

    def measure(self, block: Block) -> Arrays:
        """Return the block's arrays, one row a frame; its last hops may begin none."""
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

    def _features(self, featured: features_paper.Frames, n_frames: int) -> FloatArray:
        assert self.feature_set is not None  # noqa: S101 - the caller's branch, told to the type checker
        features = np.empty((n_frames, self.n_stems, len(features_paper.NAMES[self.feature_set])))
        for frame in range(n_frames):
            stems = featured[:, self._samples_of(frame)]
            features[frame] = _FEATURES[self.feature_set](stems, self.reader.framing.sample_rate)
        return features

    def _samples_of(self, frame: int) -> slice:
        start = frame * self.reader.framing.hop_samples
        return slice(start, start + self.reader.framing.frame_samples)

    def _rms(self, left: Samples, n_frames: int) -> FloatArray:
        framing = self.reader.framing
        n_hops = n_frames + HOPS_PER_FRAME - 1 if n_frames else 0
        hops = left[:, : n_hops * framing.hop_samples].reshape(self.n_stems, n_hops, framing.hop_samples)
        energy = np.stack([_energy(of_stem) for of_stem in hops], axis=1)
        return np.sqrt(sum_over_frames(energy) / framing.frame_samples) if n_frames else np.empty((0, self.n_stems))


def _energy(hops: Samples) -> FloatArray:
    """Return the energy of hops (n_hops, n_samples), summed in float64, shape (n_hops,)."""
    exact = hops.astype(np.float64)
    energy: FloatArray = np.vecdot(exact, exact)
    return energy


class _OngoingWeighting:
    """K-weights overlapping stretches of one signal: each sample once, the overlap carried over."""

    def __init__(self) -> None:
        self._filter = features_paper.KWeighting()
        self._carried: FloatArray = np.empty(0)

    def __call__(self, samples: FloatArray, advance: int) -> FloatArray:
        weighted = np.concatenate([self._carried, self._filter(samples[len(self._carried) :])])
        self._carried = weighted[advance:]
        return weighted
