"""Sounds small enough to stand in a page: MP3, the whole of a short mix or a minute of a long one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from analysis_server.report.content import Player
from core.audio.reading import Samples

WHOLE_S, EXCERPT_S = 240.0, 60.0
_MP3_RATES = (32_000, 44_100, 48_000)
_FALLBACK_RATE = 44_100
_COMPRESSION = 0.6
_BLOCK_S = 10


def player(audio: Path, label: str) -> Player:
    """Return a player of the mix in `audio`; of a long one, the minute in its middle."""
    with soundfile.SoundFile(audio) as file:
        duration_s = file.frames / file.samplerate
        start_s = 0.0 if duration_s <= WHOLE_S else (duration_s - EXCERPT_S) / 2
        length_s = duration_s if duration_s <= WHOLE_S else EXCERPT_S
        file.seek(round(start_s * file.samplerate))
        encoded = _mp3(file, round(length_s * file.samplerate))
    note = "" if duration_s <= WHOLE_S else f"{EXCERPT_S:.0f} s from {start_s:.0f} s on"
    return Player(label=label, mime="audio/mpeg", encoded=encoded, note=note, start_s=start_s)


def _mp3(file: soundfile.SoundFile, n_samples: int) -> bytes:
    """Return the next samples of `file` as MP3.

    By way of a file: an interrupt in a call back out of the encoder would be lost.
    """
    rate = file.samplerate if file.samplerate in _MP3_RATES else _FALLBACK_RATE
    with tempfile.TemporaryDirectory(prefix="faderwise-") as folder:
        path = Path(folder) / "excerpt.mp3"
        with soundfile.SoundFile(
            path, "w", rate, min(file.channels, 2), "MPEG_LAYER_III", format="MP3", compression_level=_COMPRESSION
        ) as mp3:
            for samples in _at_rate(file, n_samples, rate):
                mp3.write(np.clip(samples, -1.0, 1.0))
        return path.read_bytes()


def _at_rate(file: soundfile.SoundFile, n_samples: int, rate: int) -> Iterator[Samples]:
    """Give the next `n_samples` samples of at most two channels in blocks, shape (n, n_channels), at `rate`."""
    stream = soxr.ResampleStream(file.samplerate, rate, min(file.channels, 2), dtype="float32", quality="HQ")
    for start in range(0, n_samples, block := _BLOCK_S * file.samplerate):
        samples = file.read(min(block, n_samples - start), dtype="float32", always_2d=True)[:, :2]
        is_last = start + block >= n_samples
        yield samples if rate == file.samplerate else stream.resample_chunk(samples, last=is_last)
