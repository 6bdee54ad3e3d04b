"""Find constant offsets (DC) in audio files and have them removed when the files are read for measurement.

Old sound cards, some plug-ins and some synthesizers add a constant to their signal. It is inaudible, but counts for
levels and for the fit of gains. Rendering keeps it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.audio.io import AudioFile, read_excerpt
from core.audio.song import Song
from core.decibels import FloatArray

SMALLEST_OFFSET = 10.0 ** (-60.0 / 20.0)
_N_EXCERPTS = 8
_FEWEST_EXCERPTS = 4
"""Of fewer excerpts with sound, the means may agree by chance."""
_EXCERPT_S = 0.25
_LARGEST_SPREAD = 0.2
"""Excerpts' means may differ by this share of the offset: a constant is the same everywhere."""


def with_offsets_removed(song: Song) -> tuple[Song, list[str]]:
    """Return the song with files that are read without their constant offsets, and a note for each such file.

    Parameters
    ----------
    song : a song; where offsets were found before, it is returned as it is.
    """
    files = song.signals
    if any(part.offset for file in files for part in file.parts or (file,)):
        return song, []
    found = {file: _without_offset(file) for file in files}
    notes = [
        f"{part.path.name} has a constant offset of {max(part.offset, key=abs):+.3f}; it was removed for measuring"
        for file in files
        for part in found[file].parts or (found[file],)
        if part.offset
    ]
    if not notes:
        return song, []
    stems = {bus: found[file] for bus, file in song.stems.items()}
    return replace(song, stems=stems, mixdown=found[song.mixdown] if song.mixdown else None), notes


def _without_offset(file: AudioFile) -> AudioFile:
    if file.parts:
        return replace(file, parts=tuple(_without_offset(part) for part in file.parts))
    means = _excerpt_means(file)
    if len(means) < _FEWEST_EXCERPTS:
        return file
    offset = means.mean(axis=0)
    is_constant = (np.ptp(means, axis=0) < _LARGEST_SPREAD * np.abs(offset)) & (np.abs(offset) > SMALLEST_OFFSET)
    return replace(file, offset=tuple(np.where(is_constant, offset, 0.0).tolist())) if is_constant.any() else file


def _excerpt_means(file: AudioFile) -> FloatArray:
    """Return the mean of each excerpt that is not digitally silent, shape (n_excerpts, n_channels)."""
    length = min(round(_EXCERPT_S * file.sample_rate), file.n_samples)
    means = []
    for index in range(_N_EXCERPTS):
        start = round((file.n_samples - length) * (index + 0.5) / _N_EXCERPTS)
        excerpt = read_excerpt(
            file, sample_rate=file.sample_rate, n_channels=file.n_channels, start=start, n_samples=length
        )
        if excerpt.any():
            means.append(excerpt.mean(axis=1, dtype=np.float64))
    return np.array(means).reshape(len(means), file.n_channels)
