"""An item's samples, from its media file to the timeline.

Conventions: samples are float64, shape (n_samples, 2); a mono file goes to both channels. The play rate resamples,
also where REAPER would keep the pitch. Missing media are silent. Fades at the curvature each shape has of its own.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from tests.reaper_host.item_state import Item

Samples = npt.NDArray[np.float64]


def balance(pan: float) -> Samples:
    """Return the factors of both channels: the far side falls, the near one stays. [MEM: balance at the 0 dB law]"""
    return np.array([min(1.0, 1.0 - pan), min(1.0, 1.0 + pan)])


def add_item(out: Samples, item: Item, start_s: float, rate: int) -> None:
    """Add an item to `out`, which begins at `start_s` of the project."""
    if item.is_muted or item.length_s <= 0.0 or item.take.file is None:
        return
    source = _source(item, rate)
    if source is None or not len(source):
        return
    begin = round(item.position_s * rate)
    n_samples = round(item.end_s * rate) - begin
    offset = begin - round(start_s * rate)
    first, last = max(-offset, 0), min(n_samples, len(out) - offset)
    if last <= first:
        return
    place = np.arange(first, last)
    gain = item.volume * item.take.volume * _fades(item, place, n_samples, rate)
    at = place + round(item.take.offset_s * rate / item.take.play_rate)
    at = at % len(source) if item.loops else at
    inside = (at >= 0) & (at < len(source))
    played = np.zeros((len(place), 2))
    played[inside] = _routed(source[at[inside]], item.take.channel_mode)
    out[offset + first : offset + last] += played * gain[:, None] * balance(item.take.pan)


def _fades(item: Item, place: npt.NDArray[np.intp], n_samples: int, rate: int) -> Samples:
    gain = np.ones(len(place))
    for (shape, length_s), from_edge in ((item.fade_in, place), (item.fade_out, n_samples - 1 - place)):
        if length_s > 0.0:
            gain *= _fade(shape, np.clip(from_edge / (length_s * rate), 0.0, 1.0))
    return gain


def _fade(shape: int, share: Samples) -> Samples:
    rest = 1.0 - share
    curves = {
        1: 1.0 - rest**2,
        2: share**2,
        3: 1.0 - rest**4,
        4: share**4,
        5: share**2 * (3.0 - 2.0 * share),
        6: np.where(share <= 0.5, 8.0 * share**4, 1.0 - 8.0 * rest**4),
    }
    return curves.get(shape, share)


def _routed(samples: Samples, mode: int) -> Samples:
    """Return what the take's channel mode leaves: 1 swapped, 2 mono, 3 left, 4 right."""
    if mode == 1:
        return samples[:, ::-1]
    if mode == 2:
        return np.repeat(samples.mean(axis=1, keepdims=True), 2, axis=1)
    if mode in (3, 4):
        return np.repeat(samples[:, mode - 3 : mode - 2], 2, axis=1)
    return samples


def _source(item: Item, rate: int) -> Samples | None:
    take = item.take
    assert take.file is not None
    try:
        stamp = take.file.stat().st_mtime_ns
    except OSError:
        return None
    whole = _read(take.file, stamp, take.play_rate, rate)
    start = round(take.section_start_s * rate / take.play_rate)
    count = round(take.section_length_s * rate / take.play_rate)
    return whole[start : start + count] if count else whole[start:]


@lru_cache(maxsize=24)
def _read(path: Path, _stamp: int, play_rate: float, rate: int) -> Samples:
    samples, file_rate = soundfile.read(path, always_2d=True)
    samples = np.repeat(samples, 2, axis=1) if samples.shape[1] == 1 else samples[:, :2]
    as_if = file_rate * play_rate
    return samples if as_if == rate else soxr.resample(samples, as_if, rate)
