"""Measuring a song for the default preset: every channel, step spectra, and the domain the mixdown asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from core import features, steps
from core.audio import Samples
from core.blocks import Block, LockstepReader
from core.decibels import FloatArray
from core.frames import HOPS_PER_FRAME, STEPS_PER_HOP, Framing, sum_over_frames
from core.gram import power_gram, sample_gram, with_powers_of_last
from core.loudness import k_weights
from core.measurement import Arrays, Measurement, level_notes, measure_blocks
from core.progress import Progress, silent
from core.song import Song

Domain = Literal["complex", "power", "magnitude"]


def measure(
    song: Song,
    *,
    feature_set: str = "condition3",
    domain: Domain | None = None,
    lag_samples: int = 0,
    progress: Progress = silent,
) -> Measurement:
    """Measure a song in the default preset.

    Parameters
    ----------
    song : the song.
    feature_set : ``"condition1"`` or ``"condition2"``; ``"condition3"`` needs no features of its own here, it
        is made from `step_power` (see `core.balance`).
    domain : whose Gram matrices to build, None for none. In the ``complex`` domain they carry the mixdown's
        odd powers (`gram.LIMITER_POWERS`) too.
    lag_samples : how much later than the stems the mixdown comes.
    progress : is told the fraction done; may raise to stop the work.

    Raises
    ------
    InputError
        A file is damaged.
    """
    reader = LockstepReader(song, with_mixdown=domain is not None, lag_samples=lag_samples)
    recipe = _Recipe(reader.framing, len(song.stems), song.n_channels, feature_set, domain)
    blocks = reader.blocks(before=steps.samples_before(reader.framing), after=recipe.samples_after)
    arrays = measure_blocks(blocks, recipe.measure, reader.n_blocks, progress)
    hop_power = arrays["step_power"].reshape(-1, STEPS_PER_HOP, len(song.stems)).sum(axis=1)
    rms = np.sqrt(sum_over_frames(hop_power) / (HOPS_PER_FRAME * STEPS_PER_HOP * song.n_channels))
    return Measurement(
        title=song.title,
        buses=song.buses,
        sample_rate=song.sample_rate,
        rms=rms,
        gram=sum_over_frames(arrays["gram"]) if domain else None,
        features=_by_bus(song.buses, arrays.get("features"), len(rms)),
        step_power=arrays["weighted_power"],
        notes=(*song.notes(), *level_notes(song, reader, rms)),
    )


@dataclass(frozen=True)
class _Recipe:
    framing: Framing
    n_stems: int
    n_channels: int
    feature_set: str
    domain: Domain | None

    @property
    def samples_after(self) -> int:
        """How far past its last hop a block must reach."""
        return steps.samples_after(self.framing) + self._hops_after * self.framing.hop_samples

    @property
    def _hops_after(self) -> int:
        return 0 if self.feature_set == "condition3" else HOPS_PER_FRAME - 1

    def measure(self, block: Block) -> Arrays:
        """Return the block's arrays: one row a step, a hop, or (features) a frame."""
        stems = [self._stem(signal, block.n_hops) for signal in block.samples[: self.n_stems]]
        arrays = {name: np.stack([stem[name] for stem in stems], axis=1) for name in stems[0]}
        if self.domain:
            arrays["gram"] = self._gram(block)
        return arrays

    def _stem(self, signal: Samples, n_hops: int) -> Arrays:
        spectra = steps.step_power_spectra(signal, self.framing, n_hops + self._hops_after)
        own = spectra[: n_hops * STEPS_PER_HOP]
        arrays: Arrays = {
            "step_power": own.sum(axis=1, dtype=np.float64),
            "weighted_power": (own @ self._k_weights()).astype(np.float64),
        }
        if self.feature_set != "condition3":
            arrays["features"] = self._features(spectra, signal, n_hops)
        return arrays

    def _features(self, spectra: Samples, signal: Samples, n_hops: int) -> FloatArray:
        per_hop = spectra.reshape(-1, STEPS_PER_HOP, spectra.shape[1]).mean(axis=1)
        power = sum_over_frames(per_hop) / HOPS_PER_FRAME
        mean_power = power / self.n_channels
        frequency_hz = steps.frequencies_hz(self.framing)
        if self.feature_set == "condition1":
            return features.condition1(mean_power, frequency_hz)
        start = steps.samples_before(self.framing)
        crossings = features.crossing_rate(signal[:, start:], self.framing.hop_samples, n_hops)
        return features.condition2(mean_power, frequency_hz, power @ self._k_weights(), crossings)

    def _k_weights(self) -> Samples:
        return k_weights(self.framing.sample_rate, steps.frequencies_hz(self.framing)).astype(np.float32)

    def _gram(self, block: Block) -> FloatArray:
        hop = self.framing.hop_samples
        if self.domain == "complex":
            samples = block.samples[:, :, block.before : block.before + block.n_hops * hop]
            hops = [samples[:, :, i * hop : (i + 1) * hop] for i in range(block.n_hops)]
            return np.stack([sample_gram(with_powers_of_last(signals)) for signals in hops])
        spectra = np.stack(
            [steps.step_power_spectra(signal, self.framing, block.n_hops) for signal in block.samples]
        )
        if self.domain == "magnitude":
            np.sqrt(spectra, out=spectra)
        per_hop = spectra.reshape(len(spectra), block.n_hops, STEPS_PER_HOP, -1)
        return np.stack([power_gram(per_hop[:, i]) for i in range(block.n_hops)])


def _by_bus(buses: tuple[str, ...], arrays: FloatArray | None, n_frames: int) -> dict[str, FloatArray]:
    return {} if arrays is None else {bus: arrays[:n_frames, i] for i, bus in enumerate(buses)}
