"""An item's samples: its takes read forward, looped, faded and placed.

Conventions: samples are float32, shape (2, n_samples); a mono source goes to both channels. A play rate resamples,
so pitch moves with it. Fades and gains are linear factors on each sample.

Sources: fade shapes as public ReaScripts reproduce REAPER's, each at its own curvature. Pan is a balance: the far
side falls to nothing, the near side stays (from memory: REAPER's stereo balance at its 0 dB law).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from core.audio.reading import AudioFile, AudioStream, Samples, inspect
from core.decibels import FloatArray
from core.rpp.items import Fade, Item, Take

N_CHANNELS = 2
_SHORT_LOOP_S = 10.0
_FINEST_RATE = 48_000
_LARGEST_PART = 192_000


def balance(pan: float) -> FloatArray:
    """Return the factors of both channels at a pan from -1 (left) to 1 (right), shape (2, 1)."""
    return np.array([[min(1.0, 1.0 - pan)], [min(1.0, 1.0 + pan)]])


def fade_gain(shape: int, share: FloatArray) -> FloatArray:
    """Return how loud a fade-in is at `share` (0 to 1) of its length; a fade-out is the same, backwards."""
    rest = 1.0 - share
    curves = {
        1: share * (2.0 - share),
        2: share**2,
        3: 1.0 - rest**4,
        4: share**4,
        5: share**2 * (3.0 - 2.0 * share),
        6: np.where(share <= 0.5, 8.0 * share**4, 1.0 - 8.0 * rest**4),
    }
    return curves.get(shape, share)


class TakePlayer:
    """Plays one take of an item, forward."""

    def __init__(self, item: Item, take: Take, path: Path, sample_rate: int) -> None:
        self._item, self._take, self._rate = item, take, sample_rate
        source = take.source
        assert source is not None  # noqa: S101 - only takes with a source are played
        self._file, self._at_rate = _as_if_recorded(inspect(path), take.play_rate, sample_rate)
        self._first = round(item.position_s * sample_rate)
        self._n_samples = round(item.end_s * sample_rate) - self._first
        self._source_start = round(source.start_s * sample_rate / take.play_rate)
        self._offset = round(take.offset_s * sample_rate / take.play_rate)
        whole = self._file.n_samples_at(self._at_rate) - self._source_start
        section = round(source.length_s * sample_rate / take.play_rate)
        self._n_source = max(min(whole, section) if section > 0 else whole, 0)
        self._stream: AudioStream | None = None
        self._next = 0
        self._loop: Samples | None = None

    def add_to(self, out: Samples, start: int) -> None:
        """Add to `out` (2, n_samples), which begins at sample `start` of the project, what sounds there."""
        first = max(start, self._first)
        end = min(start + out.shape[1], self._first + self._n_samples)
        if first < end and self._n_source > 0:
            played = self._played(first - self._first, end - first)
            out[:, first - start : end - start] += played * self._gains(first - self._first, end - first)
        if self._first + self._n_samples <= start + out.shape[1]:
            self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._stream is not None:
            self._stream.__exit__()
        self._stream, self._loop = None, None

    def _played(self, start: int, n_samples: int) -> Samples:
        played: Samples = np.zeros((N_CHANNELS, n_samples), np.float32)
        position, done = start + self._offset, 0
        if self._item.loops and self._n_source < _SHORT_LOOP_S * self._rate:
            played[:] = self._short_loop()[:, (position + np.arange(n_samples)) % self._n_source]
            return self._routed(played)
        while done < n_samples:
            at = (position + done) % self._n_source if self._item.loops else position + done
            if at >= self._n_source:
                break
            count = min(n_samples - done, self._n_source - at)
            self._read(played[:, done : done + count], at)
            done += count
        return self._routed(played)

    def _short_loop(self) -> Samples:
        if self._loop is None:
            self._loop = np.zeros((N_CHANNELS, self._n_source), np.float32)
            self._read(self._loop, 0)
        return self._loop

    def _read(self, destination: Samples, at: int) -> None:
        silent = min(max(-at, 0), destination.shape[1])
        wanted = destination[:, silent:]
        if wanted.shape[1] == 0:
            return
        at += silent
        if self._stream is None or at != self._next:
            self._reopen(at)
        assert self._stream is not None  # noqa: S101 - just opened
        self._stream.read_into(wanted)
        self._next = at + wanted.shape[1]

    def _reopen(self, at: int) -> None:
        if self._stream is not None:
            self._stream.__exit__()
        start = self._source_start + at
        self._stream = AudioStream(self._file, sample_rate=self._at_rate, n_channels=N_CHANNELS, start=start)

    def _routed(self, played: Samples) -> Samples:
        mode = self._take.channel_mode
        if mode == 1:
            return played[::-1]
        if mode == 2:
            return np.broadcast_to(played.mean(axis=0), played.shape)
        if mode in (3, 4):
            return np.broadcast_to(played[mode - 3], played.shape)
        return played

    def _gains(self, start: int, n_samples: int) -> Samples:
        gain = np.array([self._item.volume * self._take.volume])
        for fade, first_from_edge, direction in (
            (self._item.fade_in, start, 1),
            (self._item.fade_out, self._n_samples - 1 - start, -1),
        ):
            last_from_edge = first_from_edge + direction * (n_samples - 1)
            if min(first_from_edge, last_from_edge) < fade.length_s * self._rate:
                gain = gain * _faded(fade, (first_from_edge + direction * np.arange(n_samples)) / self._rate)
        return (gain * balance(self._take.pan)).astype(np.float32)


def _faded(fade: Fade, from_edge_s: FloatArray) -> FloatArray:
    if fade.length_s <= 0.0:
        return np.ones_like(from_edge_s)
    return fade_gain(fade.shape, np.clip(from_edge_s / fade.length_s, 0.0, 1.0))


def _as_if_recorded(file: AudioFile, play_rate: float, sample_rate: int) -> tuple[AudioFile, int]:
    """Return the file as if recorded at its rate times `play_rate`, and the rate to read it at for `sample_rate`.

    Both are whole numbers of the right proportion, which is all the resampler needs.
    """
    if play_rate == 1.0:
        return file, sample_rate
    proportion = Fraction(file.sample_rate * play_rate / sample_rate).limit_denominator(_LARGEST_PART)
    scale = -(-_FINEST_RATE // proportion.denominator)
    as_if = replace(file, sample_rate=max(proportion.numerator, 1) * scale)
    return as_if, proportion.denominator * scale
