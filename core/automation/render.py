"""Render and measure mixes: stems times automation, in bounded memory and on all cores.

Conventions: a gain is linear in dB between automation points and applied sample by sample, so it never jumps. One pass
over the stems renders a mix and measures it (loudness, true peak, spectrum). Its level can be chosen afterwards: a
rendered mix is stored as 32-bit floats and written at any gain without reading the stems again.

Average spectra are of Hann windows of 4096 samples, which start at multiples of their distance and end before the song
does; magnitudes are averaged over windows and channels. A full-scale sine has the magnitude 1. Their source is Zafrin &
Chudwick (2015), section 5, with half overlap; reports use every second window without overlap.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from core.analysis.loudness import (
    ABSOLUTE_GATE_LUFS,
    CONTEXT_SAMPLES,
    gain_db_for_loudness,
    integrated_lufs,
    k_weighted_step_powers,
    settling_samples,
    true_peak,
)
from core.audio.blocks import MANY, Block, LockstepReader, for_each_block
from core.audio.framing import STEPS_PER_HOP
from core.audio.io import AudioFile, Samples
from core.audio.song import Song
from core.automation.points import Automation, EnvelopePoints
from core.decibels import LOWEST_DB, FloatArray, db_to_gain, gain_to_db
from core.fft import rfft
from core.files import replacing, write_error
from core.progress import ProgressCallback, no_progress

PEAK_LIMIT_DBTP = -1.0
QUIETEST_LUFS, LOUDEST_LUFS = -70.0, 0.0
"""The range of target loudnesses: a quieter mix would be inaudible, and no mix is louder."""
_REPORTED_GAIN_DB = 0.05
_GAIN_GRID_SAMPLES = 64
_NEPERS_PER_DB = math.log(10.0) / 20.0
_MIXED_AT_ONCE = 512
"""Few enough groups of 64 samples to stay in the processor's cache."""
_HELD_BYTES = 128 << 20
"""A mix of no more than this, six minutes in stereo, stays in memory."""
_COPIED_SAMPLES = 1 << 17
_BYTES_PER_SAMPLE = 3
_FULL_SCALE = 1 << 23
_LARGEST_RIFF = 0xFFFFFFFF - 1024
WINDOW_SAMPLES = 4096
OVERLAPPING_DISTANCE = WINDOW_SAMPLES // 2
SPARSE_DISTANCE = 2 * WINDOW_SAMPLES
_ENOUGH_WINDOWS = 1000
"""The windows of a long mix are further apart, so that there are about as many."""
_BANDS_PER_OCTAVE = 6


@dataclass(frozen=True)
class MixFigures:
    """Measurements of a mix.

    Attributes
    ----------
    step_power : K-weighted power per 50 ms step, shape (n_steps,).
    true_peak : the largest value at or between the samples, linear.
    spectrum : the average spectrum.
    true_peak_s : the time of the true peak in seconds, to the nearest sample; NaN where it is unknown.
    """

    step_power: FloatArray
    true_peak: float
    spectrum: AverageSpectrum
    true_peak_s: float = math.nan

    @property
    def loudness_lufs(self) -> float:
        """The gated loudness, LUFS."""
        return integrated_lufs(self.step_power)

    @property
    def true_peak_dbtp(self) -> float:
        """The true peak, dBTP."""
        return float(gain_to_db(self.true_peak))

    def with_gain_db(self, gain_db: float) -> MixFigures:
        """Return the figures of the same mix with `gain_db` of gain."""
        gain = 10.0 ** (gain_db / 20.0)
        spectrum = self.spectrum.with_gain_db(gain_db)
        return MixFigures(self.step_power * gain**2, self.true_peak * gain, spectrum, self.true_peak_s)


class MixMeter:
    """Measures a signal from blocks in any order, added by several threads."""

    def __init__(self, sample_rate: int, n_samples: int) -> None:
        self._sample_rate = sample_rate
        step = sample_rate // (4 * STEPS_PER_HOP)
        self._n_steps = max(1, n_samples // step)
        self._step_power = np.zeros(-(-n_samples // step))
        sparse = -(-n_samples // (_ENOUGH_WINDOWS * WINDOW_SAMPLES)) * WINDOW_SAMPLES
        self._spectrum = SpectrumSums(sample_rate, n_samples, max(sparse, SPARSE_DISTANCE))
        self._lock = Lock()
        self._peak = 0.0
        self._peak_s = math.nan

    @staticmethod
    def samples_around(sample_rate: int) -> tuple[int, int]:
        """Return how many samples before and after its own a block needs."""
        return max(settling_samples(sample_rate), CONTEXT_SAMPLES), WINDOW_SAMPLES

    def add(self, samples: Samples, start: int, end: int) -> None:
        """Measure samples `start` to `end` of the signal, a whole number of 50 ms steps except at its end.

        Parameters
        ----------
        samples : shape (n_channels, n), with `samples_around` them.
        start, end : the measured range of the signal, in samples.
        """
        before, _ = self.samples_around(self._sample_rate)
        step = self._sample_rate // (4 * STEPS_PER_HOP)
        first, n_steps = start // step, -(-(end - start) // step)
        settled = samples[:, before - settling_samples(self._sample_rate) :]
        powers = k_weighted_step_powers(settled, self._sample_rate, n_steps)
        self._step_power[first : first + n_steps] = powers
        self._spectrum.add(samples[:, before:], start, end)
        around = samples[:, before - CONTEXT_SAMPLES : before + end - start + CONTEXT_SAMPLES]
        peak = true_peak(around, self._sample_rate, self._peak)
        with self._lock:
            if peak > self._peak:
                own = np.ascontiguousarray(samples.T[before : before + end - start])
                self._peak = peak
                self._peak_s = (start + int(np.abs(own).argmax()) // own.shape[1]) / self._sample_rate

    def figures(self) -> MixFigures:
        """Return the figures of all blocks."""
        step_power = self._step_power[: self._n_steps]
        return MixFigures(step_power, self._peak, self._spectrum.average(), self._peak_s)


@dataclass(frozen=True)
class RenderedMix:
    """A mix as 32-bit floats, in memory or in a file without a header, and its measurements.

    Attributes
    ----------
    path : the file: interleaved, little-endian; the caller removes it. None for a mix in memory.
    held : the samples of a mix in memory, shape (n_samples, n_channels).
    sample_rate, n_channels, n_samples : of the mix.
    figures : its measurements.
    plain_sum : measurements of the plain sum of the same stems, if requested.
    """

    path: Path | None
    held: Samples
    sample_rate: int
    n_channels: int
    n_samples: int
    figures: MixFigures
    plain_sum: MixFigures | None = None

    def read(self, start: int, n_samples: int) -> Samples:
        """Return samples from `start` on, shape (n_samples, n_channels), fewer at the end."""
        if self.path is None:
            return self.held[start : start + n_samples]
        count = min(n_samples, self.n_samples - start) * self.n_channels
        values: Samples = np.fromfile(self.path, "<f4", max(0, count), offset=4 * start * self.n_channels)
        return values.reshape(-1, self.n_channels)

    def write_wav(self, path: Path, gain_db: float = 0.0, *, progress: ProgressCallback = no_progress) -> None:
        """Write the mix with `gain_db` of gain as a 24-bit WAV file.

        Raises
        ------
        InputError
            The folder cannot be written to.
        DiskFullError
            The disk is full.
        """
        gain = float(db_to_gain(gain_db))
        with _wav_file(path, self.sample_rate, self.n_channels, self.n_samples) as wav:

            def copy(start: int) -> None:
                wav.write(self.read(start, _COPIED_SAMPLES), start, gain)

            starts = range(0, self.n_samples, _COPIED_SAMPLES)
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                for number, _ in enumerate(pool.map(copy, starts), 1):
                    progress(number / len(starts))


def render_mix(
    song: Song,
    automation: Automation | None,
    path: Path,
    *,
    with_plain_sum: bool = False,
    progress: ProgressCallback = no_progress,
) -> RenderedMix:
    """Render and measure the mix of a song's stems with `automation`, in one pass.

    Parameters
    ----------
    song : the song.
    automation : the points of each bus; None leaves every gain at 0 dB.
    path : a new file for the samples of a long mix, or of one of many stems.
    with_plain_sum : whether to measure the plain sum of the stems as well.
    progress : receives the fraction done; may raise to stop the work.

    Raises
    ------
    InputError
        A stem is damaged.
    DiskFullError
        The disk is full.

    Examples
    --------
    >>> import tempfile
    >>> from core.audio.song import open_song
    >>> song = open_song(Path("examples/caesium"))
    >>> quieter = {bus: EnvelopePoints(np.zeros(1), np.array([-6.0])) for bus in song.buses}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     mix = render_mix(song, quieter, Path(folder) / "mix.f32", with_plain_sum=True)
    >>> round(mix.figures.loudness_lufs - mix.plain_sum.loudness_lufs, 3)
    -6.0
    """
    automations = [automation, None] if with_plain_sum else [automation]
    n_channels = song.n_channels
    is_held = len(song.stems) <= MANY and 4 * song.n_samples * n_channels <= _HELD_BYTES
    held: Samples = np.empty((song.n_samples if is_held else 0, n_channels), np.float32)
    try:
        with ExitStack() as stack:
            parts = None if is_held else _FileInParts(stack.enter_context(path.open("w+b")))

            def write(values: Samples, start: int) -> None:
                if parts is None:
                    held[start : start + len(values)] = values
                else:
                    parts.write(values.astype("<f4", copy=False), 4 * start * n_channels)

            figures = _measure(song, automations, write, progress)
    except OSError as error:
        raise write_error(path.parent, error) from error
    plain_sum = figures[1] if with_plain_sum else None
    return RenderedMix(
        None if is_held else path, held, song.sample_rate, n_channels, song.n_samples, figures[0], plain_sum
    )


def measure_mixes(
    song: Song, automations: Sequence[Automation | None], *, progress: ProgressCallback = no_progress
) -> list[MixFigures]:
    """Measure the mixes of a song's stems with `automations`, in one pass; None leaves every gain at 0 dB."""
    return _measure(song, automations, None, progress)


def _measure(
    song: Song,
    automations: Sequence[Automation | None],
    write: Callable[[Samples, int], None] | None,
    progress: ProgressCallback,
) -> list[MixFigures]:
    """Measure mixes; `write` gets the samples of the first one, with where they start."""
    reader = LockstepReader(song, with_mixdown=False, interleaved=True)
    meters = [MixMeter(song.sample_rate, song.n_samples) for _ in automations]
    before, after = MixMeter.samples_around(song.sample_rate)

    def work(block: Block) -> None:
        start, end = reader.span_of(block)
        mixes = mix_stems(song, block.samples.swapaxes(1, 2), start - before, automations)
        if write is not None:
            write(mixes[0, before : before + end - start], start)
        for mix, meter in zip(mixes, meters, strict=True):
            meter.add(mix.T, start, end)

    with reader.blocks(before=before, after=after) as blocks:
        for_each_block(blocks, work, reader, progress)
    return [meter.figures() for meter in meters]


def measure_file(song: Song, file: AudioFile, *, progress: ProgressCallback = no_progress) -> MixFigures:
    """Measure a finished mix, such as the song's mixdown, at the song's sample rate and with its channels."""
    n_samples = file.n_samples_at(song.sample_rate)
    reader = LockstepReader(song, with_mixdown=False, n_samples=n_samples, files=(file,))
    meter = MixMeter(song.sample_rate, n_samples)
    before, after = MixMeter.samples_around(song.sample_rate)
    with reader.blocks(before=before, after=after) as blocks:
        for_each_block(blocks, lambda block: meter.add(block.samples[0], *reader.span_of(block)), reader, progress)
    return meter.figures()


def common_gain_db(before: MixFigures, after: MixFigures, target_lufs: float | None) -> float:
    """Return the gain that brings the mix to `target_lufs` (default: as loud as before) with peaks below the limit.

    Parameters
    ----------
    before : figures of the mix without automation.
    after : figures of the mix with automation.
    target_lufs : the wanted loudness; None for that of `before`.
    """
    if target_lufs is not None:
        wanted_db = gain_db_for_loudness(after.step_power, target_lufs)
    elif before.loudness_lufs > ABSOLUTE_GATE_LUFS:
        wanted_db = gain_db_for_loudness(after.step_power, before.loudness_lufs)
    else:  # too quiet for the absolute gate
        wanted_db = integrated_lufs(before.step_power, -np.inf) - integrated_lufs(after.step_power, -np.inf)
    return min(wanted_db, headroom_db(after))


def headroom_db(figures: MixFigures) -> float:
    """Return how many dB of gain a mix can get before its true peak exceeds -1 dBTP."""
    return PEAK_LIMIT_DBTP - figures.true_peak_dbtp


def level_notes(file_gain_db: float, target_lufs: float | None = None) -> list[str]:
    """Return a sentence about a rendered file if it is quieter than its automation makes it.

    Parameters
    ----------
    file_gain_db : the gain of the file over the automation.
    target_lufs : the loudness that it was attenuated to; None if its peaks were the reason.
    """
    if file_gain_db > -_REPORTED_GAIN_DB:
        return []
    reason = f"its true peak would exceed {PEAK_LIMIT_DBTP:g} dBTP"
    if target_lufs is not None:
        reason = f"{target_lufs:g} LUFS is the target"
    return [f"mix.wav is {-file_gain_db:.1f} dB quieter than the automation: {reason}"]


def mix_stems(
    song: Song, stems: Samples, start: int, automations: Sequence[Automation | None], first_stem: int = 0
) -> Samples:
    """Return the mixes of stems with `automations`, shape (n_mixes, n_samples, n_channels).

    Gains are exact at every 64th sample and linear in between. So in each group of 64 samples, a mix is the stems times
    constant gains, plus a ramp times the stems times constant slopes: one small matrix product for all of them.

    Parameters
    ----------
    song : the song.
    stems : samples of its stems, shape (n_stems, n_samples, n_channels), contiguous.
    start : which of the song's samples comes first.
    automations : per mix the points of each bus; None leaves every gain at 0 dB.
    first_stem : which of the song's stems comes first.
    """
    n_stems, n_samples, n_channels = stems.shape
    buses = song.buses[first_stem : first_stem + n_stems]
    n_groups = -(-n_samples // _GAIN_GRID_SAMPLES)
    rows: list[npt.NDArray[np.float32]] = []
    for automation in automations:
        if automation is None:
            rows.append(np.ones((n_groups, n_stems), np.float32))
        else:
            gains = np.stack([_gain_grid(automation[bus], start, n_groups, song.sample_rate) for bus in buses], axis=1)
            rows += [gains[:-1], np.diff(gains, axis=0)]
    weights = np.stack(rows, axis=1)
    ramp = np.repeat(np.arange(_GAIN_GRID_SAMPLES, dtype=np.float32) / _GAIN_GRID_SAMPLES, n_channels)
    mixes = np.empty((len(automations), n_samples, n_channels), np.float32)
    n_whole = n_samples // _GAIN_GRID_SAMPLES
    spans = [(first, min(first + _MIXED_AT_ONCE, n_whole)) for first in range(0, n_whole, _MIXED_AT_ONCE)]
    for first, last in [*spans, *([(n_whole, n_groups)] if n_whole < n_groups else [])]:
        own = np.s_[:, first * _GAIN_GRID_SAMPLES : last * _GAIN_GRID_SAMPLES]
        of_stems = stems[own].reshape(n_stems, last - first, -1).swapaxes(0, 1)
        products = iter(np.matmul(weights[first:last], of_stems).swapaxes(0, 1))
        for automation, mix in zip(automations, mixes[own].reshape(len(mixes), last - first, -1), strict=True):
            steady = next(products)
            if automation is None:
                mix[:] = steady
            else:
                slopes = next(products)
                slopes *= ramp[: slopes.shape[1]]
                np.add(steady, slopes, out=mix)
    return mixes


def _gain_grid(points: EnvelopePoints, start: int, n_groups: int, sample_rate: int) -> npt.NDArray[np.float32]:
    """Return the gain at every 64th sample from `start` on, shape (n_groups + 1,)."""
    gain_db = points.at((start + _GAIN_GRID_SAMPLES * np.arange(n_groups + 1)) / sample_rate)
    gains = np.exp(gain_db * _NEPERS_PER_DB)  # several times faster than a power of 10
    return np.where(gain_db <= LOWEST_DB, 0.0, gains).astype(np.float32)


class _FileInParts:
    """A file whose parts may be written in any order and from several threads."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lock = Lock()

    def write(self, values: npt.NDArray[np.generic], offset: int) -> None:
        content = np.ascontiguousarray(values).view(np.uint8)
        with self._lock:
            self._file.seek(offset)
            self._file.write(content.data)


class _WavFile:
    """A 24-bit WAV file of a known length, whose samples may be written in any order and from several threads."""

    def __init__(self, file: BinaryIO, sample_rate: int, n_channels: int, n_samples: int) -> None:
        self._frame_bytes = n_channels * _BYTES_PER_SAMPLE
        n_bytes = n_samples * self._frame_bytes
        header = _wav_header(sample_rate, n_channels, n_bytes)
        self._data_offset = len(header)
        file.write(header)
        file.truncate(len(header) + n_bytes + n_bytes % 2)
        self._parts = _FileInParts(file)

    def write(self, samples: Samples, start: int, gain: float) -> None:
        """Write samples (n_samples, n_channels) times `gain` from sample `start` on, clipped at full scale."""
        scaled = np.multiply(samples, np.float32(gain * _FULL_SCALE)).reshape(-1)
        np.clip(np.rint(scaled, out=scaled), -_FULL_SCALE, _FULL_SCALE - 1, out=scaled)
        packed = np.empty(len(scaled) * _BYTES_PER_SAMPLE + 1, np.uint8)
        of_four_bytes = np.ndarray(scaled.shape, "<i4", packed.data, strides=(_BYTES_PER_SAMPLE,))
        of_four_bytes[:] = scaled.astype("<i4")  # each sample overwrites the fourth byte of the one before it
        self._parts.write(packed[:-1], self._data_offset + start * self._frame_bytes)


@contextmanager
def _wav_file(path: Path, sample_rate: int, n_channels: int, n_samples: int) -> Iterator[_WavFile]:
    """Give a WAV file that replaces `path` when all is written."""
    with replacing(path) as temporary, temporary.open("r+b") as file:
        yield _WavFile(file, sample_rate, n_channels, n_samples)


def _wav_header(sample_rate: int, n_channels: int, n_bytes: int) -> bytes:
    """Return the header of a 24-bit PCM file: RIFF, or RF64 (EBU Tech 3306) for more than 4 GB."""
    align = n_channels * _BYTES_PER_SAMPLE
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, n_channels, sample_rate, sample_rate * align, align, 24)
    n_riff = 4 + len(form) + 8 + n_bytes + n_bytes % 2
    if n_riff <= _LARGEST_RIFF:
        return struct.pack("<4sI4s", b"RIFF", n_riff, b"WAVE") + form + struct.pack("<4sI", b"data", n_bytes)
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, n_riff + 36, n_bytes, n_bytes // align, 0)
    start = struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE")
    return start + sizes + form + struct.pack("<4sI", b"data", 0xFFFFFFFF)


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
        n_channels = len(samples)
        values = np.ascontiguousarray(samples.T)[first * self._distance - start :].reshape(-1)
        windows = sliding_window_view(values, WINDOW_SAMPLES * n_channels)[:: self._distance * n_channels]
        windowed = windows[: after - first] * np.repeat(_hann(), n_channels)
        spectra = rfft(windowed.reshape(-1, WINDOW_SAMPLES, n_channels).swapaxes(1, 2))
        magnitude = np.abs(spectra).reshape(-1, spectra.shape[2])
        self._sums[start] = np.ones(len(magnitude), magnitude.dtype) @ magnitude / len(samples)

    def average(self) -> AverageSpectrum:
        """Return the average over all windows."""
        total = np.zeros(WINDOW_SAMPLES // 2 + 1)
        for start in sorted(self._sums):
            total += self._sums[start]
        scale = 2.0 / float(_hann().sum())
        return AverageSpectrum(self._sample_rate, total * (scale / max(self._n_windows, 1)))


@lru_cache
def _hann() -> Samples:
    return np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)


def in_bands(frequency_hz: FloatArray, magnitude: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return centres (Hz) and levels (dB) of sixths of an octave, 20 Hz to 20 kHz, (n_bands,), none empty."""
    edges_hz = 20.0 * 2.0 ** (np.arange(10 * _BANDS_PER_OCTAVE + 1) / _BANDS_PER_OCTAVE)
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
