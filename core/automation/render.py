"""Render a mix: stems times automation, in bounded memory.

Conventions: a gain is linear in dB between automation points and applied sample by sample, so nothing steps.
Two passes over the stems: the first measures (loudness, true peak, spectra), the second writes what the first
found a safe common gain for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from core.analysis.loudness import FLOOR_LUFS
from core.audio.blocks import HOPS_PER_BLOCK, Block, LockstepReader
from core.audio.framing import Framing
from core.audio.io import AudioFile, AudioStream, Samples
from core.audio.song import Song
from core.automation.average_spectrum import AverageSpectrum
from core.automation.meters import LoudnessMeter, TruePeakMeter
from core.automation.points import Automation, EnvelopePoints
from core.decibels import LOWEST_DB, db_to_gain
from core.errors import DiskFullError
from core.files import replacing
from core.progress import ProgressCallback, no_progress

PEAK_LIMIT_DBTP = -1.0
QUIETEST_LUFS, LOUDEST_LUFS = -70.0, 0.0
"""Between these a mix can be asked to be: what is quieter is not heard, what is louder is no mix."""
_GAIN_GRID_SAMPLES = 64


@dataclass(frozen=True)
class MixFigures:
    """What a mix measures: `loudness_lufs` (gated), `true_peak_dbtp`, and its average `spectrum`."""

    loudness_lufs: float
    true_peak_dbtp: float
    spectrum: AverageSpectrum

    def with_gain_db(self, gain_db: float) -> MixFigures:
        """Return the figures of the same mix, `gain_db` louder."""
        return MixFigures(
            self.loudness_lufs + gain_db, self.true_peak_dbtp + gain_db, self.spectrum.with_gain_db(gain_db)
        )


class MixMeter:
    """Measures a mix that comes in pieces."""

    def __init__(self, sample_rate: int, n_channels: int) -> None:
        self._loudness = LoudnessMeter(sample_rate, n_channels)
        self._true_peak = TruePeakMeter(n_channels)
        self._spectrum = AverageSpectrum(sample_rate)

    def add(self, samples: Samples) -> None:
        """Take in the next samples, shape (n_channels, n_samples)."""
        self._loudness.add(samples)
        self._true_peak.add(samples)
        self._spectrum.add(samples)

    def figures(self) -> MixFigures:
        """Return what was measured."""
        return MixFigures(self._loudness.integrated_lufs, self._true_peak.peak_dbtp, self._spectrum)


def measure_mixes(
    song: Song, automations: list[Automation | None], *, progress: ProgressCallback = no_progress
) -> list[MixFigures]:
    """Measure the mixes that `automations` make of a song's stems, in one pass; None leaves every gain at 0 dB."""
    meters = [MixMeter(song.sample_rate, song.n_channels) for _ in automations]
    for block in _blocks(song, progress):
        for automation, meter in zip(automations, meters, strict=True):
            meter.add(mix_block(song, block, automation))
    return [meter.figures() for meter in meters]


def measure_file(song: Song, file: AudioFile) -> MixFigures:
    """Measure a finished mix, such as the song's mixdown."""
    meter = MixMeter(song.sample_rate, song.n_channels)
    n_block = HOPS_PER_BLOCK * Framing(song.sample_rate).hop_samples
    with AudioStream(file, sample_rate=song.sample_rate, n_channels=song.n_channels) as stream:
        n_samples = file.n_samples_at(song.sample_rate)
        for start in range(0, n_samples, n_block):
            samples: Samples = np.empty((song.n_channels, min(n_block, n_samples - start)), np.float32)
            stream.read_into(samples)
            meter.add(samples)
    return meter.figures()


def write_mix(
    song: Song,
    automation: Automation | None,
    path: Path,
    *,
    gain_db: float = 0.0,
    progress: ProgressCallback = no_progress,
) -> None:
    """Write the mix that `automation` makes of the song's stems, 24-bit WAV, `gain_db` louder.

    Raises
    ------
    InputError
        The folder cannot be written to, or the disk is full.
    """
    scale = np.float32(db_to_gain(gain_db))
    with replacing(path) as temporary, _writer(temporary, song) as write:
        for block in _blocks(song, progress):
            write((mix_block(song, block, automation) * scale).T)


def common_gain_db(before: MixFigures, after: MixFigures, target_lufs: float | None) -> float:
    """Return the gain that brings the mix to `target_lufs` (default: as loud as before), peaks allowed for."""
    wanted_lufs = before.loudness_lufs if target_lufs is None else target_lufs
    if after.loudness_lufs <= FLOOR_LUFS:
        return 0.0
    return min(wanted_lufs - after.loudness_lufs, headroom_db(after))


def headroom_db(figures: MixFigures) -> float:
    """Return how much louder a mix may get before its true peak passes -1 dBTP."""
    return PEAK_LIMIT_DBTP - figures.true_peak_dbtp


def mix_block(song: Song, block: Block, automation: Automation | None) -> Samples:
    """Return the sum of a block's stems, each with its gain, shape (n_channels, n_samples)."""
    mix: Samples = np.zeros(block.samples.shape[1:], np.float32)
    start = block.first_hop * Framing(song.sample_rate).hop_samples
    for bus, stem in zip(song.stems, block.samples, strict=True):
        mix += stem if automation is None else stem * _gains(automation[bus], start, len(stem[0]), song.sample_rate)
    return mix


def _gains(points: EnvelopePoints, start: int, n_samples: int, sample_rate: int) -> Samples:
    """Return the gain of each sample: exact on a grid of 64 samples, linear between."""
    grid = np.arange(0, n_samples + _GAIN_GRID_SAMPLES, _GAIN_GRID_SAMPLES)
    gain_db = points.at((start + grid) / sample_rate)
    gain = np.where(gain_db <= LOWEST_DB, 0.0, db_to_gain(gain_db))
    return np.interp(np.arange(n_samples), grid, gain).astype(np.float32)


def _blocks(song: Song, progress: ProgressCallback) -> Iterator[Block]:
    """Give each block up to the song's end: the silence after it is no part of the mix."""
    reader = LockstepReader(song, with_mixdown=False)
    with reader.blocks() as blocks:
        for block in blocks:
            yield replace(block, samples=reader.up_to_the_end(block))
            progress(block.end_hop / reader.n_hops)


@contextmanager
def _writer(path: Path, song: Song) -> Iterator[Callable[[Samples], None]]:
    """Give what writes samples to a WAV; what libsndfile cannot write there is no room for."""
    with soundfile.SoundFile(path, "w", song.sample_rate, song.n_channels, "PCM_24", format="WAV") as file:
        try:
            yield file.write
        except soundfile.LibsndfileError as error:
            raise DiskFullError(
                f"cannot be written to ({error})", path=path.parent, remedy="free some space"
            ) from error
