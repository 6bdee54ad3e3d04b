"""Sounds small enough to stand in a page: MP3, the whole of a short mix or a minute of a long one."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile
import soxr

from analysis_server.report.content import Player
from core.audio import Samples

WHOLE_S, EXCERPT_S = 240.0, 60.0
_MP3_RATES = (32_000, 44_100, 48_000)
_COMPRESSION = 0.6


def player(audio: Path, label: str) -> Player:
    """Return a player of the mix in `audio`; of a long one, the minute in its middle."""
    with soundfile.SoundFile(audio) as file:
        duration_s = file.frames / file.samplerate
        start_s = 0.0 if duration_s <= WHOLE_S else (duration_s - EXCERPT_S) / 2
        length_s = duration_s if duration_s <= WHOLE_S else EXCERPT_S
        file.seek(round(start_s * file.samplerate))
        samples = file.read(round(length_s * file.samplerate), dtype="float32", always_2d=True)[:, :2]
        sample_rate = file.samplerate
    note = "" if duration_s <= WHOLE_S else f"{EXCERPT_S:.0f} s from {start_s:.0f} s on"
    return Player(label=label, mime="audio/mpeg", encoded=_mp3(samples, sample_rate), note=note, start_s=start_s)


def _mp3(samples: Samples, sample_rate: int) -> bytes:
    if sample_rate not in _MP3_RATES:
        samples, sample_rate = soxr.resample(samples, sample_rate, 44_100), 44_100
    encoded = io.BytesIO()
    soundfile.write(
        encoded,
        np.clip(samples, -1.0, 1.0),
        sample_rate,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=_COMPRESSION,
    )
    return encoded.getvalue()
