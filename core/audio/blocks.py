"""Lockstep reading: all signals of a song, block by block, with bounded memory.

Conventions: a block holds a whole number of hops, and the samples before and after that a frame or a window
at its edge needs. Samples have shape (n_signals, n_channels, before + n_hops * hop + after); what lies before
the song's start or after its end is silent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.audio.frames import Framing
from core.audio.reading import AudioStream, Samples
from core.audio.song import Song

HOPS_PER_BLOCK = 16
"""Four seconds: long enough for the threads to leave each other alone, short enough to finish together."""
_LOOKED_AT_SAMPLES = 4096


@dataclass(frozen=True)
class Block:
    """Samples of hops `first_hop` to `first_hop + n_hops`; sample `before` is the first hop's first.

    `onset_samples` is the song's first sample in which a stem is not digitally silent, 0 until it has been read.
    """

    first_hop: int
    n_hops: int
    before: int
    samples: Samples
    onset_samples: int = 0


class LockstepReader:
    """Reads a song's signals side by side.

    Parameters
    ----------
    song : what to read.
    with_mixdown : whether the last signal is the mixdown.
    lag_samples : how much later than the stems the mixdown comes; it is read so that they agree.
    n_samples : the length to read, the song's own by default.
    n_channels : how many channels to read, the first ones; the song's own by default.
    interleaved : whether a signal's channels lie side by side in memory, as in a file, and not one after the other.

    Attributes
    ----------
    clipped, peak : per file name, once the blocks have been read: how many samples are clipped, and the largest.
    onset_samples : the first sample in which a stem is not digitally silent, once it has been read; None before.
    """

    def __init__(
        self,
        song: Song,
        *,
        with_mixdown: bool,
        lag_samples: int = 0,
        n_samples: int | None = None,
        n_channels: int | None = None,
        interleaved: bool = False,
    ) -> None:
        self._song = song
        self._lag = lag_samples
        self._interleaved = interleaved
        self._files = song.signals if with_mixdown else tuple(song.stems.values())
        self.n_samples = song.n_samples if n_samples is None else n_samples
        self.n_channels = song.n_channels if n_channels is None else n_channels
        self.framing = Framing(song.sample_rate)
        self.clipped: dict[str, int] = {}
        self.peak: dict[str, float] = {}
        self.onset_samples: int | None = None

    @property
    def n_frames(self) -> int:
        """How many frames the song has."""
        return self.framing.n_frames(self.n_samples)

    @property
    def n_blocks(self) -> int:
        """How many blocks `blocks` will give."""
        return -(-self.framing.n_hops(self.n_samples) // HOPS_PER_BLOCK)

    def blocks(self, *, before: int = 0, after: int = 0) -> Iterator[Block]:
        """Give the song's blocks in order, each with `before` and `after` samples around it.

        Raises
        ------
        InputError
            A file is damaged or holds values that are no numbers.
        """
        n_hops = self.framing.n_hops(self.n_samples)
        hop = self.framing.hop_samples
        with ExitStack() as stack:
            streams = self._opened(stack)
            pool = stack.enter_context(ThreadPoolExecutor(os.cpu_count()))
            carried = np.zeros((len(streams), self.n_channels, before), np.float32)
            to_read = after
            for first_hop in range(0, n_hops, HOPS_PER_BLOCK):
                count = min(HOPS_PER_BLOCK, n_hops - first_hop)
                samples = self._extended(carried, streams, to_read + count * hop, pool)
                silence_after(self.n_samples, samples, first_hop * hop - before)
                self._find_onset(samples, first_hop * hop - before)
                yield Block(first_hop, count, before, samples, self.onset_samples or 0)
                carried, to_read = samples[:, :, count * hop :], 0
            self.clipped = {file.path.name: s.clipped for file, s in zip(self._files, streams, strict=True)}
            self.peak = {file.path.name: s.peak for file, s in zip(self._files, streams, strict=True)}

    def _find_onset(self, samples: Samples, start: int) -> None:
        if self.onset_samples is None:
            found = first_sound(samples[: len(self._song.stems)])
            self.onset_samples = None if found is None else start + found

    def _opened(self, stack: ExitStack) -> list[AudioStream]:
        starts = [0] * len(self._song.stems) + [self._lag]
        return [
            stack.enter_context(
                AudioStream(file, sample_rate=self._song.sample_rate, n_channels=self.n_channels, start=start)
            )
            for file, start in zip(self._files, starts, strict=False)
        ]

    def _extended(self, carried: Samples, streams: list[AudioStream], n_new: int, pool: ThreadPoolExecutor) -> Samples:
        n_signals, n_channels, n_carried = carried.shape
        samples = self._empty(n_signals, n_channels, n_carried + n_new)
        samples[:, :, :n_carried] = carried
        compressed = any(stream.is_compressed for stream in streams)  # decoding is worth a thread, copying is not
        list((pool.map if compressed else map)(AudioStream.read_into, streams, samples[:, :, n_carried:]))
        return samples

    def _empty(self, n_signals: int, n_channels: int, n_samples: int) -> Samples:
        if self._interleaved:
            return np.empty((n_signals, n_samples, n_channels), np.float32).swapaxes(1, 2)
        return np.empty((n_signals, n_channels, n_samples), np.float32)


def first_sound(signals: Samples) -> int | None:
    """Return the first sample in which any of `signals` (n_signals, n_channels, n_samples) is not 0, or None."""
    for start in range(0, signals.shape[2], _LOOKED_AT_SAMPLES):
        piece = signals[:, :, start : start + _LOOKED_AT_SAMPLES]
        if piece.any():
            return start + int(np.argmax(piece.any(axis=(0, 1))))
    return None


def silence_after(end: int, samples: npt.NDArray[np.floating], start: int) -> None:
    """Zero what lies at or after sample `end`, in place; `samples` (..., n_samples) begin at sample `start`."""
    past_end = start + samples.shape[-1] - end
    if past_end > 0:
        samples[..., -past_end:] = 0.0
