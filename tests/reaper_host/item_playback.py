"""An item's samples, from its media file to the timeline.

Conventions: samples are float64, shape (n_samples, 2); a mono file goes to both channels. The play rate resamples,
also where REAPER would keep the pitch. Missing media are silent. Each fade shape has its own curvature.
"""

from __future__ import annotations

import math
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
    begin = round(item.position_s * rate)
    n_samples = round(item.end_s * rate) - begin
    offset = begin - round(start_s * rate)
    first, last = max(-offset, 0), min(n_samples, len(out) - offset)
    if last <= first:
        return
    played = _played(item, first, last - first, rate)
    if played is None:
        return
    gain = item.volume * item.take.volume * balance(item.take.pan)
    _fade_edges(played, item, first, n_samples, rate)
    out[offset + first : offset + last] += played * gain


def _fade_edges(played: Samples, item: Item, first: int, n_samples: int, rate: int) -> None:
    """Apply an item's fades; `played` begins `first` samples into the item."""
    last = first + len(played)
    fade_in = range(first, min(last, math.ceil(item.fade_in[1] * rate)))
    fade_out = range(max(first, n_samples - math.ceil(item.fade_out[1] * rate)), last)
    for places, (shape, length_s), edge, sign in (
        (fade_in, item.fade_in, 0, 1),
        (fade_out, item.fade_out, n_samples - 1, -1),
    ):
        if len(places):
            share = np.clip((np.array(places) - edge) * sign / (length_s * rate), 0.0, 1.0)
            played[places.start - first : places.stop - first] *= _fade(shape, share)[:, None]


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


def _played(item: Item, first: int, count: int, rate: int) -> Samples | None:
    """Return `count` samples of an item's source from `first` samples into the item; None if there is no file."""
    take = item.take
    assert take.file is not None
    try:
        info = soundfile.info(take.file)
    except soundfile.LibsndfileError:
        return None
    scale = rate / take.play_rate
    at = first + round(take.offset_s * scale)
    start = round(take.section_start_s * scale)
    length = round(info.frames / info.samplerate * scale) - start
    length = min(round(take.section_length_s * scale) or length, length)
    played = np.zeros((count, 2))
    if info.samplerate == scale and not item.loops:
        begin, end = min(max(at, 0), length), min(max(at + count, 0), length)
        read = soundfile.read(take.file, start=start + begin, stop=start + end, always_2d=True)[0]
        played[begin - at : begin - at + len(read)] = _stereo(read)
    else:
        source = _resampled(take.file, take.file.stat().st_mtime_ns, scale)[start : start + length]
        places = at + np.arange(count)
        places = places % len(source) if item.loops else places
        inside = (places >= 0) & (places < len(source))
        played[inside] = source[places[inside]]
    return np.array(_routed(played, take.channel_mode))


@lru_cache(maxsize=4)
def _resampled(path: Path, _stamp: int, rate: float) -> npt.NDArray[np.float32]:
    read, file_rate = soundfile.read(path, always_2d=True, dtype="float32")
    samples: npt.NDArray[np.float32] = _stereo(read).astype(np.float32, copy=False)
    return samples if file_rate == rate else soxr.resample(samples, file_rate, rate)


def _stereo(samples: Samples) -> Samples:
    return np.repeat(samples, 2, axis=1) if samples.shape[1] == 1 else samples[:, :2]
