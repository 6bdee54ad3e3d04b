"""Measuring a song for the default preset: every channel, step spectra, and the domain the mixdown asks for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from core.audio.blocks import Block, LockstepReader
from core.audio.frames import HOPS_PER_FRAME, STEPS_PER_HOP, Framing, sum_over_frames
from core.audio.reading import Samples
from core.audio.song import Song
from core.decibels import FloatArray
from core.measuring import features, steps
from core.measuring.gram import hop_moments, power_grams, sample_grams
from core.measuring.loudness import k_weights
from core.measuring.measurement import PER_STEP, Arrays, Measurement, level_notes, measure_blocks
from core.progress import Progress, silent

Domain = Literal["complex", "power", "magnitude"]


def measure(
    song: Song,
    *,
    feature_set: str = "condition3",
    domain: Domain | None = None,
    lag_samples: int = 0,
    as_mono: bool = False,
    with_powers: bool = True,
    progress: Progress = silent,
) -> Measurement:
    """Measure a song in the default preset.

    Parameters
    ----------
    song : the song.
    feature_set : ``"condition1"`` or ``"condition2"``; ``"condition3"`` needs no features of its own here, it
        is made from `step_power` and `band_power` (see `core.modelling.balance`).
    domain : whose Gram matrices to build, None for none.
    lag_samples : how much later than the stems the mixdown comes.
    as_mono : whether the Gram matrices are of the channels' mean, which is what a mono mixdown holds.
    with_powers : whether those of the ``complex`` domain carry the mixdown's powers (`gram.LIMITER_POWERS`) too.
    progress : is told the fraction done; may raise to stop the work.

    Raises
    ------
    InputError
        A file is damaged.
    """
    reader = LockstepReader(song, with_mixdown=domain is not None, lag_samples=lag_samples, interleaved=True)
    recipe = _Recipe(reader, len(song.stems), feature_set, domain, as_mono, with_powers)
    with reader.blocks(before=steps.samples_before(reader.framing), after=recipe.samples_after) as blocks:
        arrays = measure_blocks(blocks, recipe.measure, reader, progress)
    rms = _frame_rms(arrays["hop_power"], song.n_channels)
    onset = reader.onset_samples or 0
    sound = _from_onset(arrays, reader.framing, song.n_samples, onset)
    return Measurement(
        title=song.title,
        buses=song.buses,
        sample_rate=song.sample_rate,
        rms=rms,
        gram=sum_over_frames(arrays["moments"][:, 0]) if domain else None,
        moments=arrays["moments"] if domain else None,
        features=_by_bus(song.buses, arrays.get("features"), len(rms)),
        step_power=sound["weighted_power"],
        band_power=sound.get("band_power"),
        onset_samples=onset,
        onset_rms=_frame_rms(_per_hop(sound["step_power"]), song.n_channels),
        notes=(*song.notes(), *level_notes(song, reader, rms)),
    )


@dataclass(frozen=True)
class _Recipe:
    reader: LockstepReader
    n_stems: int
    feature_set: str
    domain: Domain | None
    as_mono: bool
    with_powers: bool

    @property
    def framing(self) -> Framing:
        return self.reader.framing

    @property
    def samples_after(self) -> int:
        """How far past its last hop a block must reach: levels may be counted from within a hop."""
        return steps.samples_after(self.framing) + max(self._hops_after, 1) * self.framing.hop_samples

    @property
    def _hops_after(self) -> int:
        return 0 if self.feature_set == "condition3" else HOPS_PER_FRAME - 1

    def measure(self, block: Block) -> Arrays:
        """Return the block's arrays: one row a step, a hop, or (features) a frame."""
        arrays = self._levels(block)
        if self.feature_set != "condition3" or self.domain in ("power", "magnitude"):
            arrays |= self._from_spectra(block)
        if self.domain == "complex":
            arrays["moments"] = hop_moments(self._sample_grams(block))
        return arrays

    def _levels(self, block: Block) -> Arrays:
        stems = block.samples[: self.n_stems, :, block.before :]
        late = (self.reader.onset_samples or 0) % self.framing.hop_samples  # before the onset all is silence
        bands = (
            np.empty((len(stems), block.n_hops, steps.N_BANDS), np.float32)
            if self.feature_set == "condition3"
            else None
        )
        powers = steps.step_powers(stems[..., late:], self.framing, block.n_hops, bands).swapaxes(0, 1)
        plain = powers[..., 0]
        arrays: Arrays = {"step_power": plain, "weighted_power": powers[..., 1]}
        arrays["hop_power"] = steps.hop_powers(stems, self.framing, block.n_hops).T if late else _per_hop(plain)
        return arrays if bands is None else arrays | {"band_power": bands.swapaxes(0, 1)}

    def _from_spectra(self, block: Block) -> Arrays:
        n_hops = block.n_hops + self._hops_after
        spectra = [steps.step_power_spectra(signal, self.framing, n_hops) for signal in block.samples]
        own = np.stack([of_signal[: block.n_hops * STEPS_PER_HOP] for of_signal in spectra])
        arrays: Arrays = {}
        if self.feature_set != "condition3":
            stems = zip(spectra[: self.n_stems], block.samples, strict=False)
            arrays["features"] = np.stack([self._features(*stem, block.n_hops) for stem in stems], axis=1)
        if self.domain in ("power", "magnitude"):
            fitted = self._spectra_of_mean(block) if self.as_mono else own
            arrays["moments"] = hop_moments(self._spectral_grams(fitted))
        return arrays

    def _features(self, spectra: Samples, signal: Samples, n_hops: int) -> FloatArray:
        per_hop = spectra.reshape(-1, STEPS_PER_HOP, spectra.shape[1]).mean(axis=1)
        power = sum_over_frames(per_hop) / HOPS_PER_FRAME
        mean_power = power / self.reader.n_channels
        frequency_hz = steps.frequencies_hz(self.framing)
        if self.feature_set == "condition1":
            return features.condition1(mean_power, frequency_hz)
        start = steps.samples_before(self.framing)
        crossings = features.crossing_rate(signal[:, start:], self.framing.hop_samples, n_hops)
        return features.condition2(mean_power, frequency_hz, power @ self._k_weights, crossings)

    @property
    def _k_weights(self) -> Samples:
        return _k_weights(self.framing)

    def _sample_grams(self, block: Block) -> FloatArray:
        """Return the Gram matrix of each step's samples, shape (n_steps, m, m)."""
        step = self.framing.step_samples
        end = block.before + block.n_hops * STEPS_PER_HOP * step
        samples = block.samples[:, :, block.before : end]
        return sample_grams(_mean_channel(samples) if self.as_mono else samples, step, with_powers=self.with_powers)

    def _spectra_of_mean(self, block: Block) -> Samples:
        """Return the power spectra of the block's own steps with all channels averaged, (m, n_steps, n_bins)."""
        signals = _mean_channel(block.samples)
        return np.stack([steps.step_power_spectra(signal, self.framing, block.n_hops) for signal in signals])

    def _spectral_grams(self, power_spectra: Samples) -> FloatArray:
        """Return the Gram matrix of each step's power or magnitude spectra, shape (n_steps, m, m)."""
        return power_grams(np.sqrt(power_spectra) if self.domain == "magnitude" else power_spectra)


def _from_onset(arrays: Arrays, framing: Framing, n_samples: int, onset: int) -> Arrays:
    """Return what is counted from the onset, without the silence before it: as if the song began there."""
    lead, n_hops = onset // framing.hop_samples, framing.n_hops(n_samples - onset)
    sound: Arrays = {}
    for name in ("step_power", "weighted_power", "band_power"):
        if name in arrays:
            rows = STEPS_PER_HOP if name in PER_STEP else 1
            kept = arrays[name][lead * rows : (lead + n_hops) * rows]
            sound[name] = np.pad(kept, [(0, n_hops * rows - len(kept)), *[(0, 0)] * (kept.ndim - 1)])
    return sound


def _per_hop(step_power: FloatArray) -> FloatArray:
    """Return hops' mean squares (n_hops, n_buses) from those of their steps."""
    return step_power.reshape(-1, STEPS_PER_HOP, step_power.shape[1]).mean(axis=1)


def _frame_rms(hop_power: FloatArray, n_channels: int) -> FloatArray:
    """Return frames' levels (n_frames, n_buses) from their hops' mean squares, channels added."""
    return np.sqrt(sum_over_frames(hop_power) / (HOPS_PER_FRAME * n_channels))


def _mean_channel(samples: Samples) -> Samples:
    mean: Samples = samples.mean(axis=1, keepdims=True)
    return mean


@lru_cache
def _k_weights(framing: Framing) -> Samples:
    return k_weights(framing.sample_rate, steps.frequencies_hz(framing)).astype(np.float32)


def _by_bus(buses: tuple[str, ...], arrays: FloatArray | None, n_frames: int) -> dict[str, FloatArray]:
    return {} if arrays is None else {bus: arrays[:n_frames, i] for i, bus in enumerate(buses)}
