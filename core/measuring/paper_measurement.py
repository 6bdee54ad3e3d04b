"""Measuring a song as Zafrin & Chudwick's original implementation does.

Conventions: left channel only, the song ends where its mixdown ends, frames of the samples as they are, Gram
matrices of STFT magnitudes, the original's own features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from core.audio.blocks import Block, LockstepReader, silence_after
from core.audio.frames import HOPS_PER_FRAME, sum_over_frames
from core.audio.reading import Samples
from core.audio.song import Song
from core.decibels import FloatArray
from core.measuring import paper_features
from core.measuring.gram import magnitude_gram
from core.measuring.measurement import ACTIVE_RMS, Arrays, Measurement, level_notes, measure_blocks
from core.progress import Progress, silent

_FEATURES: dict[str, Callable[[paper_features.Frames, int], FloatArray]] = {
    "condition1": paper_features.condition1,
    "condition2": paper_features.condition2,
}


@dataclass(frozen=True)
class _LeftBlock:
    """A block's left channels (n_signals, n_samples), and what its stems' features are taken from."""

    block: Block
    left: Samples
    featured: paper_features.Frames


def measure_as_paper(
    song: Song, *, feature_set: str | None, with_mixdown: bool, progress: Progress = silent
) -> Measurement:
    """Measure a song in the paper preset.

    Parameters
    ----------
    song : the song.
    feature_set : ``"condition1"``, ``"condition2"`` or None for no features.
    with_mixdown : whether to build Gram matrices.
    progress : is told the fraction done; may raise to stop the work.

    Raises
    ------
    InputError
        A file is damaged.
    """
    n_samples = song.mixdown.n_samples_at(song.sample_rate) if song.mixdown else song.n_samples
    reader = LockstepReader(song, with_mixdown=with_mixdown, n_samples=n_samples, n_channels=1)
    overlap = (HOPS_PER_FRAME - 1) * reader.framing.hop_samples
    recipe = _PaperRecipe(reader, len(song.stems), feature_set, with_mixdown)
    arrays = measure_blocks(recipe.prepared(reader.blocks(after=overlap)), recipe.measure, reader.n_blocks, progress)
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
    reader: LockstepReader
    n_stems: int
    feature_set: str | None
    with_mixdown: bool

    def prepared(self, blocks: Iterator[Block]) -> Iterator[_LeftBlock]:
        """Give the blocks' left channels; for condition 2 the stems' go through the K-weighting in order."""
        weightings = [_OngoingWeighting() for _ in range(self.n_stems)]
        for block in blocks:
            left = block.samples[:, 0]
            featured: paper_features.Frames = left[: self.n_stems]
            if self.feature_set == "condition2":
                hop = self.reader.framing.hop_samples
                overlapping = zip(weightings, featured.astype(np.float64), strict=True)
                featured = np.stack([weighting(x, block.n_hops * hop) for weighting, x in overlapping])
                silence_after(self.reader.n_samples, featured, block.first_hop * hop)
            yield _LeftBlock(block, left, featured)

    def measure(self, prepared: _LeftBlock) -> Arrays:
        """Return the block's arrays, one row a frame; its last hops may begin none."""
        block, n_signals = prepared.block, len(prepared.left)
        n_frames = max(0, min(block.n_hops, self.reader.n_frames - block.first_hop))
        arrays: Arrays = {"rms": self._rms(prepared.left[: self.n_stems], n_frames)}
        if self.with_mixdown:
            arrays["gram"] = np.zeros((n_frames, n_signals, n_signals))
        if self.feature_set:
            n_features = len(paper_features.NAMES[self.feature_set])
            arrays["features"] = np.empty((n_frames, self.n_stems, n_features))
        for frame in range(n_frames):
            self._measure_frame(prepared, frame, arrays)
        return arrays

    def _measure_frame(self, prepared: _LeftBlock, frame: int, arrays: Arrays) -> None:
        framing = self.reader.framing
        start = frame * framing.hop_samples
        end = start + framing.frame_samples
        if self.with_mixdown:
            heard = [*np.nonzero(arrays["rms"][frame] > ACTIVE_RMS)[0], self.n_stems]
            arrays["gram"][frame][np.ix_(heard, heard)] = magnitude_gram([prepared.left[i, start:end] for i in heard])
        if self.feature_set:
            of_frames = _FEATURES[self.feature_set]
            arrays["features"][frame] = of_frames(prepared.featured[:, start:end], framing.sample_rate)

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
        self._filter = paper_features.KWeighting()
        self._carried: FloatArray = np.empty(0)

    def __call__(self, samples: FloatArray, advance: int) -> FloatArray:
        weighted = np.concatenate([self._carried, self._filter(samples[len(self._carried) :])])
        self._carried = weighted[advance:]
        return weighted
