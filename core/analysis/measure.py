"""Measure a song in one pass over its audio: levels, loudness, spectra, features and Gram matrices.

Conventions: worker threads read one block each, file by file in turn, and measure blocks in parallel (NumPy and SciPy
release the interpreter lock). Results are joined along time. An amplitude spectrum is the root of a frame's mean power
spectrum over all channels; docs/reference/method.md has a table of the features' formulas, units and corrections.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from threading import Lock
from typing import Literal

import numpy as np
import numpy.typing as npt

from core.analysis import spectra as spectra_module
from core.analysis.gram import hop_moments, power_grams, sample_grams
from core.analysis.loudness import k_weights, loudness_lufs
from core.audio.blocks import Block, InTurn, LockstepReader, for_each_block, onset_of, return_freed_memory
from core.audio.framing import FRAME_S, HOP_S, HOPS_PER_FRAME, STEPS_PER_HOP, Framing, sum_over_frames
from core.audio.io import AudioFile, Samples
from core.audio.song import Song, with_offsets_removed
from core.decibels import FloatArray, gain_to_db
from core.progress import ProgressCallback, no_progress, part_of
from core.wording import listed

SILENCE_RMS = 10.0 ** (-70.0 / 20.0)
_SPIKE_CREST = 10.0 ** (38.0 / 20.0)
"""A frame of 44,100 samples has a crest factor of 46 dB if a single sample is not 0; music stays below 30 dB."""
_LOWEST_SPIKE = 10.0 ** (-20.0 / 20.0)
_BELOW_LOUD = 10.0 ** (-30.0 / 20.0)
_LOUD_PERCENTILE = 95


def sounding(rms: FloatArray) -> npt.NDArray[np.bool_]:
    """Return where stems of level `rms` (n_frames, n_buses) have signal: within 30 dB of their own loud frames.

    Frames below -70 dBFS count as silent and are not used for the loud level. So silence before or after a stem changes
    nothing, and neither does scaling a stem that stays above that.
    """
    loud = np.array(
        [np.percentile(bus[bus > SILENCE_RMS], _LOUD_PERCENTILE) if (bus > SILENCE_RMS).any() else 0.0 for bus in rms.T]
    )
    return rms > np.maximum(loud * _BELOW_LOUD, SILENCE_RMS)


ACTIVE_RMS = 0.01
"""A stem is active in a frame if its RMS is above this (Zafrin & Chudwick 2015, section 3)."""
PAPER_NAMES: Mapping[str, tuple[str, ...]] = {
    "condition1": ("centroid", "rms", "slope"),
    "condition2": ("centroid", "spread", "slope", "loudness", "crossings"),
}
"""Names of the paper's two feature sets, in their order."""
PER_STEP = frozenset({"step_power", "weighted_power"})

Arrays = dict[str, FloatArray]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Measurements of a song.

    Attributes
    ----------
    title, buses, sample_rate : the song's.
    rms : each stem's level per frame, shape (n_frames, n_buses).
    gram : the frames' Gram matrices (see `core.analysis.gram`), shape (n_frames, m, m); None without a mixdown.
    moments : the hops' Gram matrices weighted by time (`gram.hop_moments`), shape (n_hops, 3, m, m); None in the
        paper preset.
    features : per bus (n_frames, n_features); empty if none were asked for.
    step_power : K-weighted power of the stems per 50 ms, counted from `onset_samples`, shape (n_steps, n_buses); None
        in the paper preset.
    band_power : power of the stems per hop and critical band (`steps.BAND_EDGES_HZ`), counted from `onset_samples`,
        shape (n_hops, n_buses, N_BANDS); None where condition 3 is not asked for.
    onset_samples : the first sample at which any stem is not digitally silent.
    onset_rms : each stem's level per frame, counted from `onset_samples`; None where that is `rms`.
    warnings : a sentence for each repair, and for each file that is clipped or silent.
    """

    title: str
    buses: tuple[str, ...]
    sample_rate: int
    rms: FloatArray
    gram: FloatArray | None = None
    moments: FloatArray | None = None
    features: dict[str, FloatArray] = field(default_factory=dict)
    step_power: FloatArray | None = None
    band_power: npt.NDArray[np.floating] | None = None
    onset_samples: int = 0
    onset_rms: FloatArray | None = None
    warnings: tuple[str, ...] = ()

    @property
    def n_frames(self) -> int:
        """The number of frames."""
        return len(self.rms)

    @property
    def time_s(self) -> FloatArray:
        """The frames' centres in seconds, (n_frames,)."""
        return Framing(self.sample_rate).time_s(self.n_frames)


def measure_blocks(
    blocks: InTurn[Block], measure: Callable[[Block], Arrays], reader: LockstepReader, progress: ProgressCallback
) -> Arrays:
    """Return the arrays `measure` gives for each of a reader's blocks, joined along axis 0.

    An array has a row per step if its name is in `PER_STEP`, else a row per hop, or per frame that begins with the hop.

    Parameters
    ----------
    blocks : the blocks of the reader.
    measure : returns the arrays of a block, by name.
    reader : the reader, which has the length of the song.
    progress : progress callback; may raise to stop the work.
    """
    whole: Arrays = {}
    ends: dict[str, int] = {}
    lock = Lock()

    def measure_and_join(block: Block) -> None:
        arrays = measure(block)
        with lock:  # copied into place as they arrive: joining them at the end would need twice the memory
            for name, rows in arrays.items():
                rows_per_hop = STEPS_PER_HOP if name in PER_STEP else 1
                if name not in whole:
                    whole[name] = np.empty((reader.n_hops * rows_per_hop, *rows.shape[1:]), rows.dtype)
                start = block.first_hop * rows_per_hop
                whole[name][start : start + len(rows)] = rows
                end = start + len(rows) if len(rows) else 0  # the last hops may begin no frame
                ends[name] = max(ends.get(name, 0), end)

    for_each_block(blocks, measure_and_join, reader, progress)
    return {name: rows[: ends[name]] for name, rows in whole.items()}


def signal_warnings(song: Song, reader: LockstepReader, rms: FloatArray) -> list[str]:
    """Return a sentence for each file with a defect of level.

    Reported are clipped files, stems that are silent or too quiet to count as sounding, isolated spikes, and stems with
    the same sound.

    Parameters
    ----------
    song : the song.
    reader : the reader of its files, after reading.
    rms : the stems' level per frame, shape (n_frames, n_stems).
    """
    warnings = [
        f"{file.name} is clipped ({count} samples at full scale); export it at a lower level"
        for file, count in reader.clipped.items()
        if count
    ]
    for file, level in zip(song.stems.values(), rms.T, strict=True):
        warnings += _stem_warnings(file, level, reader)
    return warnings + _same_sound_warnings(song, rms)


def _stem_warnings(file: AudioFile, level: FloatArray, reader: LockstepReader) -> list[str]:
    name = file.name
    loudest = float(level.max())
    if loudest == 0.0:
        return [f"{name} is silent throughout; its gain is held"]
    warnings = []
    if loudest <= SILENCE_RMS:
        warnings.append(
            f"{name} never exceeds {gain_to_db(loudest):.0f} dBFS, so it counts as silent and its gain is held; raise "
            "its level"
        )
    peak, peak_s = reader.peak.get(file, 0.0), reader.peak_s.get(file, 0.0)
    last = min(int(peak_s / HOP_S), len(level) - 1)
    around = float(level[max(0, last - HOPS_PER_FRAME + 1) : last + 1].max())
    if peak > max(_SPIKE_CREST * around, _LOWEST_SPIKE) and around > 0.0:
        warnings.append(
            f"{name} has a spike of {gain_to_db(peak):+.0f} dBFS at {peak_s:.2f} s, {gain_to_db(peak / around):.0f} dB "
            "above the level around it; it affects levels and peaks; remove it if it is a defect"
        )
    return warnings


def _same_sound_warnings(song: Song, rms: FloatArray) -> list[str]:
    """Return a sentence for each group of stems that have exactly the same levels throughout."""
    groups: dict[bytes, list[str]] = {}
    for file, level in zip(song.stems.values(), rms.T, strict=True):
        if level.any():
            groups.setdefault(level.astype(np.float32).tobytes(), []).append(file.name)
    return [
        f"{listed(names)} contain the same sound; leave out all but one of them"
        for names in groups.values()
        if len(names) > 1
    ]


Domain = Literal["complex", "power", "magnitude"]


_MOST_AT_ONCE = 32
"""More stems than these are measured in groups, so that hundreds of them take no more memory."""


def measure(
    song: Song,
    *,
    feature_set: str = "condition3",
    domain: Domain | None = None,
    lag_samples: int = 0,
    as_mono: bool = False,
    with_powers: bool = True,
    progress: ProgressCallback = no_progress,
) -> Measurement:
    """Measure a song in the default preset.

    Parameters
    ----------
    song : the song.
    feature_set : ``"condition1"`` or ``"condition2"``; ``"condition3"`` is computed
        from `step_power` and `band_power` instead (`core.models.balance`).
    domain : the domain of the Gram matrices; None for no matrices.
    lag_samples : by how many samples the mixdown is later than the stems.
    as_mono : whether to use the channels' mean for the Gram matrices, as for a mono mixdown.
    with_powers : whether those of the ``complex`` domain include powers of the mixdown (`gram.LIMITER_POWERS`).
    progress : progress callback; may raise to stop the work.

    Raises
    ------
    InputError
        A file is damaged.

    Examples
    --------
    >>> from pathlib import Path
    >>> from core.audio.song import open_song
    >>> song = open_song(Path("examples/caesium"))
    >>> measurement = measure(song)
    >>> measurement.buses, measurement.rms.shape
    (('drums', 'bass', 'melody', 'vocals'), (94, 4))
    """
    song, offset_warnings = with_offsets_removed(song)
    reader = LockstepReader(song, with_mixdown=domain is not None, lag_samples=lag_samples, interleaved=True)
    recipe = _Recipe(reader, len(song.stems), feature_set, domain, as_mono, with_powers)
    arrays = recipe.measured(progress) if domain else _measured_in_groups(song, recipe, progress)
    rms = _frame_rms(arrays["hop_power"], song.n_channels)
    onset = reader.onset_samples or 0
    sound = _from_onset(arrays, reader.framing, song.n_samples, onset)
    features = arrays["features"].swapaxes(0, 1) if "features" in arrays else ()
    return Measurement(
        title=song.title,
        buses=song.buses,
        sample_rate=song.sample_rate,
        rms=rms,
        gram=sum_over_frames(arrays["moments"][:, 0]) if domain else None,
        moments=arrays["moments"] if domain else None,
        features={bus: rows[: len(rms)] for bus, rows in zip(song.buses, features, strict=False)},
        step_power=sound["weighted_power"],
        band_power=sound.get("band_power"),
        onset_samples=onset,
        onset_rms=_frame_rms(_per_hop(sound["step_power"]), song.n_channels),
        warnings=(*song.warnings(), *offset_warnings, *signal_warnings(song, reader, rms)),
    )


def _measured_in_groups(song: Song, recipe: _Recipe, progress: ProgressCallback) -> Arrays:
    """Return the arrays of stems that are measured without a mixdown; of hundreds, a group at a time."""
    files = list(song.stems.values())
    if len(files) <= _MOST_AT_ONCE:
        return recipe.measured(progress)
    recipe.reader.onset_samples = onset_of(song)
    groups = []
    for first in range(0, len(files), _MOST_AT_ONCE):
        group = files[first : first + _MOST_AT_ONCE]
        reader = LockstepReader(song, with_mixdown=False, interleaved=True, files=group)
        reader.onset_samples = recipe.reader.onset_samples
        part = part_of(progress, first / len(files), (first + len(group)) / len(files))
        groups.append(replace(recipe, reader=reader, n_stems=len(group)).measured(part))
        recipe.reader.clipped |= reader.clipped
        recipe.reader.peak |= reader.peak
        recipe.reader.peak_s |= reader.peak_s
    joined = {name: np.concatenate([arrays.pop(name) for arrays in groups], axis=1) for name in list(groups[0])}
    return_freed_memory()
    return joined


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
        return spectra_module.samples_after(self.framing) + max(self._hops_after, 1) * self.framing.hop_samples

    @property
    def _hops_after(self) -> int:
        return 0 if self.feature_set == "condition3" else HOPS_PER_FRAME - 1

    def measured(self, progress: ProgressCallback) -> Arrays:
        """Return the arrays of the whole song."""
        before = spectra_module.samples_before(self.framing)
        with self.reader.blocks(before=before, after=self.samples_after) as blocks:
            return measure_blocks(blocks, self.measure, self.reader, progress)

    def measure(self, block: Block) -> Arrays:
        """Return the block's arrays: one row a step, a hop, or (features) a frame."""
        arrays = self._levels(block)
        if self.feature_set != "condition3" or self.domain in ("power", "magnitude"):
            arrays |= self._from_spectra(block)
        if self.domain == "complex":
            step = self.framing.step_samples
            samples = block.samples[:, :, block.before : block.before + block.n_hops * STEPS_PER_HOP * step]
            samples = _mean_channel(samples) if self.as_mono else samples
            arrays["moments"] = hop_moments(sample_grams(samples, step, with_powers=self.with_powers))
        return arrays

    def _levels(self, block: Block) -> Arrays:
        stems = block.samples[: self.n_stems, :, block.before :]
        late = (self.reader.onset_samples or 0) % self.framing.hop_samples  # there is only silence before the onset
        bands = (
            np.empty((len(stems), block.n_hops, spectra_module.N_BANDS), np.float32)
            if self.feature_set == "condition3"
            else None
        )
        powers = spectra_module.step_powers(stems[..., late:], self.framing, block.n_hops, bands).swapaxes(0, 1)
        plain = powers[..., 0]
        arrays: Arrays = {"step_power": plain, "weighted_power": powers[..., 1]}
        arrays["hop_power"] = (
            spectra_module.hop_powers(stems, self.framing, block.n_hops).T if late else _per_hop(plain)
        )
        return arrays if bands is None else arrays | {"band_power": bands.swapaxes(0, 1)}

    def _from_spectra(self, block: Block) -> Arrays:
        n_hops = block.n_hops + self._hops_after
        spectra = [spectra_module.step_power_spectra(signal, self.framing, n_hops) for signal in block.samples]
        arrays: Arrays = {}
        if self.feature_set != "condition3":
            stems = zip(spectra[: self.n_stems], block.samples, strict=False)
            arrays["features"] = np.stack([self._features(*stem, block.n_hops) for stem in stems], axis=1)
        if self.domain in ("power", "magnitude"):
            if self.as_mono:
                signals = _mean_channel(block.samples)
                spectra = [spectra_module.step_power_spectra(one, self.framing, block.n_hops) for one in signals]
            fitted = np.stack([of_signal[: block.n_hops * STEPS_PER_HOP] for of_signal in spectra])
            fitted = np.sqrt(fitted) if self.domain == "magnitude" else fitted
            arrays["moments"] = hop_moments(power_grams(fitted))
        return arrays

    def _features(self, spectra: Samples, signal: Samples, n_hops: int) -> FloatArray:
        per_hop = spectra.reshape(-1, STEPS_PER_HOP, spectra.shape[1]).mean(axis=1)
        power = sum_over_frames(per_hop) / HOPS_PER_FRAME
        mean_power = power / self.reader.n_channels
        frequency_hz = spectra_module.frequencies_hz(self.framing)
        if self.feature_set == "condition1":
            return condition1(mean_power, frequency_hz)
        start = spectra_module.samples_before(self.framing)
        crossings = crossing_rate(signal[:, start:], self.framing.hop_samples, n_hops)
        return condition2(mean_power, frequency_hz, power @ _k_weights(self.framing), crossings)


def _from_onset(arrays: Arrays, framing: Framing, n_samples: int, onset: int) -> Arrays:
    """Return the arrays that begin at the onset, as if the song began there."""
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
    return k_weights(framing.sample_rate, spectra_module.frequencies_hz(framing)).astype(np.float32)


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
